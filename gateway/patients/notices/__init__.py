"""Notices: a patient's inbox, what people choose to hear of, links that stop messages.

routes.py is for people who are signed in, link_routes.py for holders of a link,
callback_routes.py for services that report what became of messages. Rules and ports
are in ``care/notices``.
"""
