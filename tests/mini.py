"""nano with every size cut down: the whole loop, two rounds, in seconds. It learns nothing worth looking at."""

_SIZES = (
    "rounds=1 threads=1 problems.train=60 problems.test=12 problems.arithmetic.min_terms=2 "
    "problems.arithmetic.max_terms=3 problems.shares=null base.corpus.solutions=8000 "
    "base.batch_size=32 verifier.batch_size=16 verifier.homework.pages=300 verifier.new_layers=1 "
    "base.corpus.min_terms=2 base.corpus.max_terms=3 base.corpus.max_number=5 "
    "samples.problems=40 samples.per_problem=4 sft_set.min_steps=1 "
    "first_solutions.problems=20 first_solutions.samples=4 "
    "later_solutions.problems=20 later_solutions.samples=4 "
    'later_solutions.searches=[{"name":"beam","proposer":"generator","problems":4,"tokens":60}] '
    "first_selection.written_steps=none later_selection.written_steps=none policy.replay.weight=0 "
    "first_selection.solutions=12 later_selection.solutions=8 "
    "first_prm.updates=6 later_prm.updates=4 first_orm.updates=6 later_orm.updates=4 "
    "first_orm.solutions=12 later_orm.solutions=8 "
    "policy.updates=2 policy.problems_per_update=4 policy.group_size=4 "
    "round_eval.problems=10 round_eval.samples=4 round_eval.subsets=20 round_eval.step_samples=4 "
    "round_eval.fooled_n=2 headline_eval.problems=12 headline_eval.samples=4 headline_eval.subsets=20 "
    "headline_eval.seeds=2 headline_eval.step_samples=4 headline_eval.fooled_n=2 summary.pool_solutions=20 "
    "q_value.problems=6 q_value.chains=2 q_value.tree_tokens=60 q_value.updates=2 q_value.iteration_updates=1 "
    "q_value.batch_size=4 thinking.problems=6 thinking.samples=4 thinking.tree_tokens=128 thinking.tree_seeds=1 "
    "thinking.resamples=20 thinking.subsets=10 thinking.votes=4 thinking.chains=1 thinking.limits=[8,32] "
    "thinking.waits=[1] thinking.timed_problems=1 "
    "prompting.problems=6 prompting.chains=1 "
    "ablations.seeds=2 ablations.judge.problems=6 ablations.judge.samples=2 ablations.judge.subsets=5 "
    "ablations.judge.resamples=20 ablations.search_in_rl.updates=1 ablations.search_in_rl.iterations=1 "
    "ablations.search_in_rl.problems_per_update=4 ablations.two_curves.resamples=20 "
    'ablations.grpo.arms=["epochs"] ablations.grpo.batches=1 '
    "ablations.active.round=0 ablations.active.pool_problems=12 ablations.active.pool_samples=4 "
    "ablations.active.held_out_problems=6 ablations.active.held_out_samples=4 ablations.active.sizes=[4,8] "
    "ablations.active.selector_solutions=6 ablations.active.updates=1 ablations.active.step_samples=2 "
    'ablations.active.resamples=20 ablations.active.settings=["scratch","added"] '
    'ablations.scale.shapes=[{"name":"small","hidden_size":32,"intermediate_size":48,"layers":1,"seeds":1},'
    '{"name":"large","hidden_size":32,"intermediate_size":48,"layers":2,"seeds":1,"of_depths":true},'
    '{"name":"deep","hidden_size":32,"intermediate_size":16,"layers":3,"seeds":1,"of_sizes":false,"of_depths":true}] '
    "ablations.scale.corpus_solutions=5000 ablations.scale.train_problems=40 ablations.scale.per_problem=4 "
    "ablations.scale.reward_updates=2 ablations.scale.problems=6 ablations.scale.samples=4 "
    "ablations.scale.base_samples=2 ablations.scale.step_samples=2 ablations.scale.subsets=5 "
    "ablations.pools.problems=6 ablations.pools.ood_problems=6 ablations.pools.samples=8 "
    "ablations.verifiers.sizes=[4,8] ablations.verifiers.compared=[8] ablations.verifiers.updates=1 "
    "ablations.verifiers.problems=4 ablations.verifiers.n=2 ablations.verifiers.subsets=5 "
    'ablations.verifiers.starts=["homework_same_size","large_without_homework"] '
    "ablations.verifiers.step_samples=2 ablations.verifiers.again_samples=2 "
    "ablations.rl.updates=2 ablations.rl.problems_per_update=2 ablations.rl.group_size=2 "
    'ablations.rl.arms=["both_sum","process_bare"] ablations.chains.tries=32 '
    'ablations.rounds.arms=["rounds","fixed_selector"] ablations.rounds.rounds=1 '
    "ablations.rounds.prm_updates=2 ablations.rounds.policy_updates=1 "
    "ablations.rounds.pool_solutions=8 ablations.rounds.best_of=4 ablations.versions.best_of=4 "
    "ablations.versions.subsets=5 ablations.versions.resamples=20 ablations.kinds.samples=4 "
    "ablations.kinds.corpus_solutions=200 ablations.kinds.least=1"
    " mini.hidden_size=32 mini.heads=1 mini.intermediate_size=48 mini.layers=1 mini.corpus_solutions=640 "
    "mini.chains.problems=10 mini.chains.least_score=0 mini.chains.min_steps=1 mini.on_policy.updates=2 "
    "mini.on_policy.solutions=4 mini.rl_updates=1 mini.choice.problems=4 mini.choice.samples=2 "
    "mini.eval.problems=6 mini.eval.samples=4 mini.eval.subsets=5 mini.eval.resamples=20 mini.eval.ood_problems=6 "
    "mini.eval.ood_samples=2 mini.eval.timed_problems=4 mini.eval.timings=1 "
    "circle.generations=1 circle.direct_rate=0.7 circle.corpus_solutions=4000 circle.rows.problems=30 "
    "circle.rows.samples=6 circle.rows.least_score=0 circle.rows.rows=32 circle.eval.problems=12 "
    "circle.eval.samples=2 circle.eval.ood_problems=6 circle.eval.resamples=20"
)

MINI = _SIZES.replace(" ", "\n")
"""As in O1_SET, a line each."""
