"""From a trained model to a chip: its cost, its design and the proof that it computes the same.

Analytic half: `workload` (what a model asks of an array), `timing` (cycles in closed form),
`estimate` (cycles, traffic, energy and area of one machine), `exploration` (the exact Pareto
front over many), `packaging` (yield and cost of dies and chiplets).
"""
