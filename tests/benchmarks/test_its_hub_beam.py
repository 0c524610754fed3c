import asyncio

from benchmarks.its_hub_beam import Gathered


def test_calls_that_wait_together_are_one_call_of_the_model():
    calls: list[list[int]] = []

    def double(items: list[int]) -> list[int]:
        calls.append(items)
        return [2 * item for item in items]

    gathered = Gathered(double)

    async def problem(start: int, rounds: int) -> list[int]:
        value = [start]
        for _ in range(rounds):
            value = await gathered([value[-1], value[-1] + 1])
        return value

    async def everything() -> list[list[int]]:
        return await asyncio.gather(problem(1, 2), problem(10, 2), problem(100, 1))

    assert asyncio.run(everything()) == [[8, 10], [44, 46], [200, 202]]
    assert [len(call) for call in calls] == [6, 4]
