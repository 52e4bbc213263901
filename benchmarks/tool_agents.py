"""Tool-use agents: batched rollouts against one episode after another, depths in the quotient graph against networkx.

Rollouts: one forward of all episodes per turn against the same policy asked one episode at a time, with the same
uniform numbers; every call and observation must be the same. Depths: breadth-first from the start through our
successors against ``networkx.single_source_shortest_path_length`` on the same graphs, which are built beforehand.
"""
from __future__ import annotations

import networkx
import torch
from gradscape.agents import toolworld, turnpolicy
from gradscape.agents.topocurate import QuotientGraph, to_networkx
from gradscape.agents.topocurate.graph import START
from side_by_side import agree, goal, ratio, report, seconds, size


def rollouts() -> None:
    policy = turnpolicy.load_base(0.04)
    tasks = toolworld.make_tasks(size(256, 4), n_goals=(1, 2, 3), pviol=0.5, seed=0)
    noise = torch.rand(len(tasks), toolworld.HORIZON, 4, generator=torch.Generator().manual_seed(1))

    def together() -> turnpolicy.Batch:
        return turnpolicy.rollout(policy, tasks, noise=noise)

    def alone() -> turnpolicy.Batch:
        return turnpolicy.cat([
            turnpolicy.rollout(policy, [task], noise=noise[i : i + 1]) for i, task in enumerate(tasks)])

    a, b = together(), alone()
    differ = (a.calls != b.calls).any(-1) | (a.obs != b.obs).any(-1)
    agree("share of turns with another call or observation", float(differ.float().mean()), 0)
    times = seconds({"all episodes at once": together, "one episode after another": alone}, blocks=5)
    report(f"reflect_retry: {len(tasks)} episodes of up to {toolworld.HORIZON} calls", times)
    goal("many episodes at once", ratio(times["all episodes at once"], times["one episode after another"]), 5)


def depths() -> None:
    tasks = toolworld.make_tasks(size(60, 4), pviol=0.5, seed=1)
    graphs = [QuotientGraph(trials) for trials in toolworld.teacher_trials(tasks, 16, ploop=0.8, seed=2)]
    peers = [to_networkx(graph) for graph in graphs]

    def theirs() -> list[dict[object, int]]:
        return [dict(networkx.single_source_shortest_path_length(peer, START)) for peer in peers]

    found = zip(graphs, theirs(), strict=True)
    agree("topocurate: graphs with another depth", float(sum(graph.depth != depth for graph, depth in found)), 0)
    report(f"topocurate: depths of {sum(len(g.nodes) for g in graphs)} nodes in {len(graphs)} graphs", seconds(
        {"our successors": lambda: [graph._depths() for graph in graphs], "networkx": theirs}, blocks=5, calls=20))


def main() -> None:
    torch.set_num_threads(1)
    rollouts()
    print()
    depths()


if __name__ == "__main__":
    main()
