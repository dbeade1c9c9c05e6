"""The economy: players that behave, suspects that are looked for, and how well they are found."""
