"""What the processes of steps share: loaded once, by the server that they are forked from.

Without it each step would import torch, TRL and Dagster's storages and build the graph, which takes 3 to 4 s of a
processor; as it is, a step takes 0.2 s more than in the run's process. Nothing here may start a thread, open a database
or use a GPU: none of these works after a fork. (numpy's and pyarrow's own threads, which importing them starts, do.)
"""

from __future__ import annotations

import gc
from importlib import import_module

from o1_assets.orchestration.internals import STORAGES, quiet_steps, reconstructable_job
from o1_assets.orchestration.libraries import import_libraries

import_libraries()
for module in (
    *STORAGES,
    "o1_assets.policy.grpo",
    "torch._inductor.config",
    "transformers.models.llama.modeling_llama",
):
    import_module(module)
reconstructable_job().get_definition()
quiet_steps()

# A collection would write into all the pages that the steps could go on sharing.
gc.collect()
gc.freeze()
