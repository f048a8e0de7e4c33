"""Generated pages: sentences, menus, repetitions, several scripts, and what no filter likes."""

from __future__ import annotations

import random

SENTENCES = [
    "The museum opens at nine in the morning and closes at five.",
    "It has rooms with maps, coins and letters that have never been shown before.",
    "Visitors are asked to leave their bags at the door.",
    "We use cookies to count visits.",
    "What would you like to see first? [1]",
    "Музей открыт с девяти утра.",
    "博物馆每天早上九点开门。",
    "- Home",
    "Menu",
    "3 likes",
    "Read more...",
    "OPEN EVERY DAY OF THE WEEK",
    "Lorem ipsum dolor",
    "function () { return 1; }",
]
HOSTILE = [
    "",
    "\n",
    " ",
    "\x00",
    ". " * 60,
    "数" * 90,
    "a " * 120,
    "x" * 1100,
    "\r\n\u2028\x0b" * 5,
    "the and " * 60,
]


def pages(count: int, seed: int = 1) -> list[str]:
    """So many pages, hostile ones first."""
    pick = random.Random(seed)
    made = list(HOSTILE)
    while len(made) < count:
        some = pick.sample(SENTENCES, pick.choice([2, 5, 9, len(SENTENCES)]))
        lines = [
            pick.choice(some) + (f" Room {pick.randrange(90)} is next." if pick.random() < 0.6 else "")
            for _ in range(pick.choice([1, 3, 8, 20, 30]))
        ]
        made.append("".join(line + pick.choice([" ", "\n", "\n", "\n\n", "\r\n"]) for line in lines))
    return made[:count]
