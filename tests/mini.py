"""nano with every size cut down: the whole loop, two rounds, in seconds. It learns nothing worth looking at."""

MINI = (
    "rounds=1 threads=1 problems.train=60 problems.test=12 problems.arithmetic.min_terms=2 "
    "problems.arithmetic.max_terms=3 problems.shares=null base.corpus.solutions=8000 "
    "base.corpus.min_terms=2 base.corpus.max_terms=3 base.corpus.max_number=5 "
    "samples.problems=40 samples.per_problem=4 sft_set.min_steps=1 "
    "first_solutions.problems=20 first_solutions.samples=4 first_solutions.max_tokens=64 "
    "later_solutions.problems=20 later_solutions.samples=4 later_solutions.max_tokens=64 "
    "first_selection.solutions=12 later_selection.solutions=8 "
    "first_prm.updates=6 later_prm.updates=4 first_orm.updates=6 later_orm.updates=4 "
    "first_orm.solutions=12 later_orm.solutions=8 "
    "policy.updates=2 policy.problems_per_update=4 policy.group_size=4 policy.max_tokens=64 "
    "round_eval.problems=10 round_eval.samples=4 round_eval.subsets=20 round_eval.step_samples=4 "
    "round_eval.fooled_n=2 headline_eval.problems=12 headline_eval.samples=4 headline_eval.subsets=20 "
    "headline_eval.seeds=2 headline_eval.step_samples=4 headline_eval.fooled_n=2 summary.pool_solutions=20"
)
