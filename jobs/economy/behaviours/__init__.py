"""Players that behave, honest and otherwise, with the truth about who cheats. docs/economy.md describes each of them.

`plan` draws what happens; `event_lines` tells it as the engine's events, and `write_plan` writes them into a folder;
jobs/simulate plays it live.
"""
