"""What shrinks a real profile to seconds on tiny random models: sizes only, nothing of how it works."""

_SIZES = (
    "rounds=1 threads=1 problems.train=24 problems.test=8 samples.problems=24 samples.per_problem=4 "
    "prompt.max_tokens=40 sft.batch_size=8 monte_carlo.rollouts=2 "
    "first_solutions.problems=10 first_solutions.samples=4 "
    "later_solutions.problems=10 later_solutions.samples=4 "
    "first_selection.solutions=10 first_selection.max_step_tokens=12 "
    "later_selection.solutions=8 later_selection.max_step_tokens=12 "
    "first_prm.updates=3 later_prm.updates=2 first_orm.updates=3 later_orm.updates=2 "
    "first_prm.batch_size=4 later_prm.batch_size=4 first_orm.batch_size=4 later_orm.batch_size=4 "
    "policy.updates=2 policy.problems_per_update=2 policy.group_size=4 policy.search.every=1 "
    "policy.search.share=0.5 "
    "round_eval.problems=6 round_eval.samples=4 round_eval.subsets=10 round_eval.step_samples=2 "
    "round_eval.fooled_n=2 headline_eval.problems=8 headline_eval.samples=4 "
    "headline_eval.subsets=10 headline_eval.seeds=1 headline_eval.step_samples=2 headline_eval.fooled_n=2 "
    "summary.pool_solutions=10 "
    "q_value.problems=8 q_value.chains=2 q_value.tree_tokens=40 q_value.updates=2 q_value.iteration_updates=1 "
    "q_value.batch_size=4 q_value.step_tokens=12"
)

SIZES = _SIZES.replace(" ", "\n")
"""As in O1_SET, a line each."""
