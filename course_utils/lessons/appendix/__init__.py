"""The appendix A: the five articles, all their statements, and the verdict on each."""
