"""Keeping a site's shards on its nodes: where each belongs, and moving it there.

Begin with planner.py (pure), then keeper.py, which carries its plan out, and moves.py,
the hand-off of one shard. operations.py is the same for operators' commands; turns.py
keeps the two apart; ray_actors.py and survey.py look at the cluster.
"""
