"""What settings and strategies are called where people read about them."""

SAYS = {
    "scratch": "trained on the chosen solutions alone",
    "added": "fine-tuned from phase 1's PRM on the chosen solutions and phase 1's labels",
    "uniform": "uniform choice",
    "convincing_wrong": "80/20 convincing wrong answers",
    "uncertain": "where the selector is least confident",
}
