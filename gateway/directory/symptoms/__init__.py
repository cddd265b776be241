"""Plain words to specialties: ``/v1/symptoms``.

encoder.py reads the language model of the extra ``symptoms``, model_thread.py runs it
beside requests, service.py joins it with the keywords of ``care.directory.symptoms``,
which answer alone while there is no model. No text is logged, stored or counted by.
"""
