"""Cheats, a module for each: the roles of an instance of a given size, and how it is played.

Parameters are drawn for each instance from wide ranges, which docs/economy.md lists. Everybody in an instance plays
honestly as well, as everyone does.
"""
