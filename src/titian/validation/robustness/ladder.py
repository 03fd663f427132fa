"""A ladder of attacks: only cases that survived the cheaper ones meet the next.

Robust accuracy is the share of cases that are right and stay right under every attack: an
upper bound, since a stronger attack may exist. Every win is asked again of the original model
in its own runtime before it counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem
from titian.statistics.estimate import Estimate
from titian.statistics.proportions import proportion
from titian.validation.robustness import gradient, losses, square
from titian.validation.robustness.ball import Ball
from titian.validation.robustness.losses import Goal
from titian.validation.robustness.samples import NORMS, Floats, Ints, Samples, require_range
from titian.validation.robustness.victim import Victim

Tensor = Any
Bools = npt.NDArray[np.bool_]
Move = Callable[[Tensor, Goal, Any], tuple[Tensor, Tensor]]

WHITE_BOX: Final = ("fgsm", "pgd", "apgd-ce", "apgd-dlr", "apgd-targeted")
BLACK_BOX: Final = ("noise", "square")
ATTACKS: Final = ("noise", *WHITE_BOX, "square")
PGD_STEPS: Final = 10
NOISE_DRAWS: Final = 10
TARGETS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How hard the adversary tries.

    Attributes:
        apgd_steps: of one untargeted climb.
        target_steps: of one climb towards a class.
        first_queries: of square attack where gradients were followed before it.
        queries: of square attack where there are no gradients, or where the first queries
            broke what gradients had not.
    """

    apgd_steps: int = 50
    target_steps: int = 100
    first_queries: int = 1_000
    queries: int = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What one attack did: its name, its time and how many cases were left after it."""

    name: str
    seconds: float
    survivors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """What came of an attack.

    Attributes:
        norm: ``inf`` or ``2``.
        eps: radius of the ball.
        range: valid inputs.
        targeted: whether the adversary wanted a stated class.
        clean: accuracy on the cases as they are.
        robust: share that is right and stays right.
        n: cases.
        attacks: in the order they ran.
        right: shape (n,), right as they are.
        survived: shape (n,), right and never broken.
        adversarial: shape of x; the winning input where one was found, else the case's own.
        broken_by: shape (n,), place of the attack that won in `attacks`, or -1.
        unconfirmed: wins that the original model did not repeat, and that do not count.
        notes: what a reader should know.
    """

    norm: str
    eps: float
    range: tuple[float, float]
    targeted: bool
    clean: Estimate
    robust: Estimate
    n: int
    attacks: tuple[Rung, ...]
    right: Bools = field(repr=False)
    survived: Bools = field(repr=False)
    adversarial: Floats = field(repr=False)
    broken_by: Ints = field(repr=False)
    unconfirmed: int = 0
    notes: tuple[str, ...] = ()


def attack(
    victim: Victim,
    samples: Samples,
    *,
    norm: str,
    eps: float,
    valid: tuple[float, float] | None = None,
    targeted: bool = False,
    attacks: Sequence[str] | None = None,
    seed: int = 0,
    alpha: float = 0.05,
    budget: Budget | None = None,
    progress: Callable[[str, float], None] = lambda _name, _share: None,
) -> Robustness:
    """Attack every case that the model has right.

    Args:
        victim: the model.
        samples: cases and classes.
        norm: ``inf`` or ``2``.
        eps: radius, in the units of the input.
        valid: range of valid inputs; what the model declares where None.
        targeted: an attack wins where the model answers the target: the samples' own, or
            one drawn among the wrong classes.
        attacks: names out of `ATTACKS`; those that fit the model where None.
        seed: of random starts, targets and search.
        alpha: one minus the coverage of the intervals.
        budget: steps and queries.
        progress: told of an attack's name and the share of its cases that is done.

    Raises:
        InputError: T-S204, T-S205 range; T-S212 norm, eps or attacks.
    """
    low, high = require_range(samples, valid if valid is not None else victim.range)
    names = _plan(victim, norm, eps, attacks)
    ball = Ball(norm=norm, eps=float(eps), low=low, high=high)
    budget = budget or Budget()
    right = victim.answer(samples.x).argmax(axis=1) == samples.y
    target = _targets(samples, victim, seed) if targeted else None
    state = _State.begin(samples, right, target)
    rungs: list[Rung] = []
    for name in names:
        start = time.perf_counter()
        moves = _moves(name, victim, ball, budget, targeted=targeted, attacks=names)
        for turn, move in enumerate(moves):
            before = int(state.survived.sum())
            with one_thread():
                _climb(victim, ball, state, move, _Turn(name, turn, len(rungs), seed), progress)
            if name == "square" and turn == 0 and int(state.survived.sum()) == before:
                break
        rungs.append(
            Rung(
                name=name,
                seconds=time.perf_counter() - start,
                survivors=int(state.survived.sum()),
            )
        )
    return Robustness(
        norm=norm,
        eps=float(eps),
        range=(low, high),
        targeted=targeted,
        clean=proportion(right, None, alphas=(alpha,)),
        robust=proportion(state.survived, None, alphas=(alpha,)),
        n=len(samples),
        attacks=tuple(rungs),
        right=right,
        survived=state.survived,
        adversarial=state.adversarial,
        broken_by=state.broken_by,
        unconfirmed=state.unconfirmed,
        notes=_notes(victim, samples, state, targeted=targeted),
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: the order of every sum is then the same on any machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True, slots=True)
class _Turn:
    name: str
    turn: int
    rung: int
    seed: int

    def generator(self, start: int) -> Any:  # noqa: ANN401 - torch's generator
        import torch

        key = [self.seed, ATTACKS.index(self.name), self.turn, start]
        drawn = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(drawn >> np.uint64(1)))


@dataclass(slots=True, kw_only=True)
class _State:
    samples: Samples
    target: Ints | None
    survived: Bools
    adversarial: Floats
    broken_by: Ints
    unconfirmed: int = 0

    @classmethod
    def begin(cls, samples: Samples, right: Bools, target: Ints | None) -> _State:
        return cls(
            samples=samples,
            target=target,
            survived=right.copy(),
            adversarial=samples.x.copy(),
            broken_by=np.full(len(samples), -1, dtype=np.int64),
        )


def _climb(
    victim: Victim,
    ball: Ball,
    state: _State,
    move: Move,
    turn: _Turn,
    progress: Callable[[str, float], None],
) -> None:
    """Run one attack over the survivors, batch by batch, and confirm what it wins."""
    import torch

    places = np.flatnonzero(state.survived)
    for start in range(0, len(places), victim.batch):
        which = places[start : start + victim.batch]
        x = torch.from_numpy(state.samples.x[which])
        goal = Goal(
            label=torch.from_numpy(state.samples.y[which]),
            target=None if state.target is None else torch.from_numpy(state.target[which]),
        )
        found, broken = move(x, goal, turn.generator(start))
        claimed = broken & ball.holds(found, x)
        won = claimed.numpy().copy()
        if won.any():
            moved = np.ascontiguousarray(found.detach().numpy()[won])
            held = _confirm(victim, moved, state, which[won])
            state.unconfirmed += int((~held).sum())
            won[np.flatnonzero(won)[~held]] = False
            state.adversarial[which[won]] = moved[held]
            state.survived[which[won]] = False
            state.broken_by[which[won]] = turn.rung
        progress(turn.name, min(1.0, (start + len(which)) / len(places)))


def _confirm(victim: Victim, moved: Floats, state: _State, which: Ints) -> Bools:
    answers = victim.answer(moved)
    decided = answers.argmax(axis=1)
    if state.target is not None:
        return np.asarray(decided == state.target[which])
    lost = ~np.isfinite(answers).all(axis=1)
    return np.asarray((decided != state.samples.y[which]) | lost)


def _moves(
    name: str,
    victim: Victim,
    ball: Ball,
    budget: Budget,
    *,
    targeted: bool,
    attacks: Sequence[str],
) -> list[Move]:
    run = victim.logits
    scaled = losses.logits_ratio if victim.classes >= 3 else losses.margin

    def climb(loss: losses.Loss, steps: int, *, still: bool = False) -> Move:
        return lambda x, goal, generator: gradient.apgd(
            run,
            x,
            goal,
            ball,
            loss,
            steps=steps,
            start=x if still else ball.start(x, generator),
        )

    def searching(queries: int) -> Move:
        return lambda x, goal, generator: square.square(
            run, x, goal, ball, queries=queries, generator=generator
        )

    match name:
        case "noise":
            return [lambda x, goal, g: _noise(run, x, goal, ball, g)]
        case "fgsm":
            return [lambda x, goal, _: gradient.fgsm(run, x, goal, ball, losses.cross_entropy)]
        case "pgd":
            return [
                lambda x, goal, g: gradient.pgd(
                    run, x, goal, ball, losses.margin, steps=PGD_STEPS, generator=g
                )
            ]
        case "apgd-ce":
            return [climb(losses.cross_entropy, budget.apgd_steps)]
        case "apgd-dlr":
            return [climb(scaled, budget.apgd_steps)]
        case "apgd-targeted":
            if targeted or victim.classes < 4:
                return [climb(scaled, budget.target_steps) for _ in range(2)]
            return [
                _towards(rank, run, climb(losses.targeted_ratio, budget.target_steps))
                for rank in range(min(TARGETS, victim.classes - 1))
            ]
        case _:
            white = set(attacks) & set(WHITE_BOX)
            if not white:
                return [searching(budget.queries)]
            return [searching(budget.first_queries), searching(budget.queries)]


def _towards(rank: int, run: Callable[[Tensor], Tensor], move: Move) -> Move:
    """Aim at the wrong class of the given rank in the model's own answer."""

    def moved(x: Tensor, goal: Goal, generator: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        import torch

        with torch.no_grad():
            wrong = run(x).scatter(1, goal.label[:, None], float("-inf"))
        aim = wrong.argsort(dim=1, descending=True)[:, rank]
        return move(x, Goal(label=goal.label, target=goal.target, aim=aim), generator)

    return moved


def _noise(
    run: Callable[[Tensor], Tensor],
    x: Tensor,
    goal: Goal,
    ball: Ball,
    generator: Any,  # noqa: ANN401
) -> tuple[Tensor, Tensor]:
    """Try random corners of the ball."""
    import torch

    found, broken = x.clone(), torch.zeros(len(x), dtype=torch.bool)
    for _ in range(NOISE_DRAWS):
        drawn = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        moved = ball.project(x + ball.eps * ball.ascent(drawn), x)
        with torch.no_grad():
            wins = losses.won(run(moved), goal) & ~broken
        found[wins], broken = moved[wins], broken | wins
    return found, broken


def _plan(
    victim: Victim, norm: str, eps: float, attacks: Sequence[str] | None
) -> tuple[str, ...]:
    wrong = []
    if norm not in NORMS:
        wrong.append(f"norm is {norm!r}; known are inf and 2")
    if not (np.isfinite(eps) and eps > 0):
        wrong.append(f"eps is {eps:g}; it is a number above 0")
    white = not victim.why_black_box
    fitting = (*WHITE_BOX, "square") if white else BLACK_BOX
    names = tuple(attacks) if attacks is not None else fitting
    unknown = [name for name in names if name not in ATTACKS]
    if unknown:
        wrong.append(
            f"no attack is called {', '.join(unknown)}; known are {', '.join(ATTACKS)}"
        )
    barred = [name for name in names if name in WHITE_BOX and not white]
    if barred:
        wrong.append(
            f"{', '.join(barred)} need gradients and {victim.name} has none "
            f"({victim.why_black_box})"
        )
    if not names:
        wrong.append("no attack is named")
    if wrong:
        raise InputError(
            *(
                Problem(code="T-S212", message=f"{what}.", remedy="Change the options.")
                for what in wrong
            )
        )
    return tuple(name for name in ATTACKS if name in names)


def _targets(samples: Samples, victim: Victim, seed: int) -> Ints:
    if samples.target is not None:
        return samples.target
    drawn = np.random.default_rng([seed, 7]).integers(1, victim.classes, len(samples))
    return np.asarray((samples.y + drawn) % victim.classes)


def _notes(
    victim: Victim, samples: Samples, state: _State, *, targeted: bool
) -> tuple[str, ...]:
    notes = [f"{victim.name} answers {victim.output} ({victim.kind}).", *victim.notes]
    if targeted:
        whose = "drawn among the wrong classes"
        notes.append(
            "An attack wins only where the model answers the target, "
            f"{whose if samples.target is None else 'as DATA states it'}."
        )
    if state.unconfirmed:
        notes.append(
            f"{state.unconfirmed} wins were not repeated by the model in its own runtime and "
            "do not count."
        )
    return tuple(notes)
