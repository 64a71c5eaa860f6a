"""Recomputes GET /stats from the files of `python -m service export`, with other people's libraries and none of ours.

    for rows in votes sayings comparisons calls
    do python -m service export $rows --format jsonl --output $rows.jsonl; done
    python tests/statistics/recompute.py --line-up claude-haiku-4-5,gpt-4.1 --at 2026-11-30T12:00:00Z

It prints the same JSON, without what no row tells: serves, the catalogue's facts, and what is said of the future. The
counts of days older than 45 are folded together in the store, so that intervals over days can differ a little then.
"""
# mypy: ignore-errors
# The libraries have no types.

import argparse
import itertools
import json
import sys
import warnings
from collections import Counter
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from scipy.special import expit, logsumexp
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.sandwich_covariance import cov_cluster

KINDS = ("votes", "sayings", "comparisons", "calls")
Z = stats.norm.ppf(0.975)
MIN_VOTES, MIN_VOTERS, MIN_SAYINGS, MIN_BALLOTS, MIN_CALLS = 120, 30, 30, 100, 30
RECENT_DAYS = 30
ALPHA, FAMILY_ALPHA, CLOSE = 0.05, 0.03, 0.03
TUNING = 4000 / (2 * np.log(1 / ALPHA) + np.log(1 + 2 * np.log(1 / ALPHA)))
SUFFIX = " (simulated)"
NOTHING = {"value": None, "low": None, "high": None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(), help="the folder of the exported files")
    parser.add_argument("--line-up", required=True, help="the ids of the models in the line-up, with commas between")
    parser.add_argument("--at", required=True, help="the time of the statistics, as `generatedAt` has it")
    parser.add_argument("--simulated", action="store_true", help="of the simulated models instead of the real ones")
    given = parser.parse_args()
    rows = {kind: pd.DataFrame(map(json.loads, (given.folder / f"{kind}.jsonl").open())) for kind in KINDS}
    json.dump(Recomputed(rows, given.line_up.split(","), given.at, given.simulated).stats(), sys.stdout)


class Recomputed:
    """The figures of the models of the line-up and of those that anything is known of."""

    def __init__(self, rows, line_up, at, simulated):
        self.votes, self.sayings, self.ballots, self.calls = (rows[kind] for kind in KINDS)
        self.at, self.suffix = pd.Timestamp(at), SUFFIX if simulated else ""
        self.first = (self.at - pd.Timedelta(days=RECENT_DAYS - 1)).strftime("%Y-%m-%d")
        self.line_up = [model + self.suffix for model in line_up]
        self.votes["up"] = self.votes["first"] == "POSITIVE"
        self.votes["item_group"] = self.votes["saying_group"]
        self.votes["day"], self.calls["day"] = self.votes["first_cast_at"].str[:10], self.calls["created_at"].str[:10]
        # What comparisons took is told when none of the day can be voted on any more.
        self.first_open = (self.at - pd.Timedelta(days=1)).strftime("%Y-%m-%d")
        self.calls = self.calls[(self.calls["kind"] != "compare") | (self.calls["day"] < self.first_open)]
        self.ballots = self.ballots[self.ballots["winner"].notna() & (self.ballots["simulated"] == simulated)]
        self.ballots = self.ballots.assign(
            day=self.ballots["cast_at"].str[:10], item_group=self.ballots["comparison_group"]
        )
        found = {*self.votes["contributor"], *self.calls["contributor"], *self.ballots["contributors"].sum()}
        self.names = sorted(
            {*self.line_up, *(name for name in found if name.endswith(SUFFIX) == simulated)} - {"collection"}
        )

    def stats(self):
        periods = {"recent": Period(self, self.first), "allTime": Period(self, "")}
        verdicts, headline, settled = self._ranking(periods["recent"])
        recent = periods["recent"]
        matrix = recent.matrix
        leads = [n for n in self.line_up if n in recent.picked and self._beats_all(matrix, n, recent)]
        headline["pickedLeader"] = self._id(leads[0]) if leads else None
        headline["disagree"] = any(matrix[worse][better]["verdict"] == "ahead" for better, worse in settled)
        return {
            "simulated": bool(self.suffix),
            "headline": headline,
            "models": [self._model(name, periods, verdicts) for name in self.names],
            "comparisons": {key: self._comparisons(period) for key, period in periods.items()},
            "totals": self._totals(),
            "hours": self._hours(),
            "services": self._services(),
            "collection": self._collection(),
        }

    def _id(self, name):
        return name.removesuffix(SUFFIX)

    def _beats_all(self, matrix, name, period):
        rivals = [other for other in self.line_up if other in period.picked and other != name]
        return bool(rivals) and all(matrix[name][rival]["verdict"] == "ahead" for rival in rivals)

    def _model(self, name, periods, verdicts):
        blind = self._blind(name)
        days = blind[blind["day"] >= self.first].groupby("day")["up"].agg(["size", "sum"])
        return {
            "model": self._id(name),
            "voters": blind["voter"].nunique(),
            "sayings": blind["saying_id"].nunique(),
            "verdict": verdicts.get(name),
            **{key: period.figures(name) for key, period in periods.items()},
            "days": [{"day": day, "votes": int(n), "upvotes": int(up)} for day, (n, up) in days.iterrows()],
        }

    def _blind(self, name):
        return self.votes[
            (self.votes["contributor"] == name)
            & (self.votes["standing"] == "counted")
            & (self.votes["attribution"] == "blind")
        ]

    def enough(self, name):
        blind = self._blind(name)
        return blind["voter"].nunique() >= MIN_VOTERS and blind["saying_id"].nunique() >= MIN_SAYINGS

    def _ranking(self, period):
        """The verdicts, the headline, and the pairs that can be told apart. A fall of late days is not looked for."""
        samples = {name: period.sample(name, "blind") for name in self.line_up}
        some = [name for name in samples if len(samples[name]) >= MIN_VOTES and self.enough(name)]
        verdicts = dict.fromkeys(self.line_up, "too few votes")
        headline = {"leader": None, "decisiveVotes": None}
        if len(some) < 2:
            return verdicts, headline, set()
        alpha = FAMILY_ALPHA / (len(some) * (len(some) - 1) / 2)
        settled = {
            (one, other) for one, other in itertools.permutations(some, 2) if is_better(samples, one, other, alpha)
        }
        best = max(some, key=lambda name: share_interval(samples[name], True)["low"])
        others = [name for name in some if name != best]
        if all(is_better(samples, best, other, ALPHA) for other in others):
            verdicts |= dict.fromkeys(others, "trails") | {best: "leads"}
            headline = {
                "leader": self._id(best),
                "decisiveVotes": min(decisive(samples[best], samples[o]) for o in others),
            }
        else:
            verdicts |= {other: verdict(samples, best, other, alpha) for other in others}
            is_open = any(verdicts[other] == "too close to call" for other in others)
            verdicts[best] = "too close to call" if is_open else "within 3 points"
        return verdicts, headline, settled

    def _comparisons(self, period):
        ballots = period.ballots
        return {
            "ballots": len(ballots),
            "setAside": len(period.aside),
            "tied": share_interval(ballots.assign(up=ballots["result"] == "tie"), len(ballots) >= MIN_BALLOTS),
            "none": share_interval(ballots.assign(up=ballots["result"] == "none"), len(ballots) >= MIN_BALLOTS),
            "matrix": {
                self._id(one): {self._id(other): record for other, record in row.items()}
                for one, row in period.matrix.items()
            },
        }

    def _totals(self):
        votes = self.votes[self.votes["contributor"].isin([*self.names, "collection"])]
        calls = self.calls[self.calls["contributor"].isin(self.names)]
        return {
            **votes_by_kind(votes),
            "calls": len(calls),
            "sayings": int(calls["sayings"].sum()),
            "cost": calls["cost_nanos"].sum() / 1e9,
            "unpricedCalls": int(calls["cost_nanos"].isna().sum()),
        }

    def _hours(self):
        votes = self.votes[self.votes["contributor"].isin([*self.names, "collection"])]
        counts = votes["first_cast_at"].str[:13].value_counts()
        hours = [(self.at - pd.Timedelta(hours=ago)).strftime("%Y-%m-%dT%H") for ago in reversed(range(24))]
        return [{"hour": f"{hour}:00:00Z", "votes": int(counts.get(hour, 0))} for hour in hours]

    def _services(self):
        blind = pd.concat([self._blind(name) for name in self.names])
        about = blind.merge(self.sayings[["saying_id", "services"]], on="saying_id").explode("services")
        about["model"] = about["contributor"].str.removesuffix(" (simulated)")
        models = {}
        for (service, model), votes in about.groupby(["services", "model"])["up"]:
            models.setdefault(service, []).append({"model": model} | votes_and_share(votes))
        found = about.groupby("services")["up"].agg(["size"]).reset_index()
        found = found.sort_values(["size", "services"], ascending=[False, True])
        return [
            {"service": name} | votes_and_share(about.loc[about["services"] == name, "up"]) | {"models": models[name]}
            for name in found["services"]
        ]

    def _collection(self):
        votes = self.votes[(self.votes["contributor"] == "collection") & (self.votes["standing"] == "counted")]
        votes = votes[votes["attribution"].isin(["blind", "named"])]
        return {"votes": counts(votes), "approval": share_interval(votes, len(votes) >= MIN_VOTES)}


class Period:
    """The rows from a day on."""

    def __init__(self, whole, first):
        self.whole = whole
        self.votes = whole.votes[whole.votes["day"] >= first]
        self.calls = whole.calls[whole.calls["day"] >= first]
        ballots = whole.ballots[whole.ballots["day"] >= first]
        self.ballots, self.aside = (ballots[ballots["standing"] == standing] for standing in ("counted", "set_aside"))
        picks = [result in shown for result, shown in self.ballots[["result", "contributors"]].itertuples(index=False)]
        self.decided = self.ballots[np.array(picks, bool)]
        self.picked = luce(self.decided, self.decided["contributors"], whole)
        self.picked_of_asked = luce(self.decided, self.decided["contributors"] + self.decided["failed"], whole)

    def sample(self, name, attribution):
        votes = self.votes[(self.votes["contributor"] == name) & (self.votes["standing"] == "counted")]
        return votes[votes["attribution"] == attribution]

    def figures(self, name):
        blind, named = self.sample(name, "blind"), self.sample(name, "named")
        calls = self.calls[self.calls["contributor"] == name]
        shown = self.decided[[name in shown for shown in self.decided["contributors"]]]
        wins = shown[shown["result"] == name]
        approval = share_interval(blind, len(blind) >= MIN_VOTES and self.whole.enough(name))
        return {
            **votes_by_kind(self.votes[self.votes["contributor"] == name]),
            "approval": approval,
            "designEffect": design_effect(blind),
            "brandEffect": brand_effect(named, blind),
            "ballots": len(shown),
            "wins": len(wins),
            "picked": self.picked.get(name, NOTHING),
            "pickedOfAsked": self.picked_of_asked.get(name, NOTHING),
            "answered": answered(calls),
            "answeredByKind": {kind: answered(calls[calls["kind"] == kind]) for kind in ("live", "round", "compare")},
            "refused": refused(calls),
            "latency": {"single": latency(calls[calls["asked"] == 1]), "round": latency(calls[calls["asked"] > 1])},
            "tokens": {key: int(calls[f"{key}_tokens"].sum()) for key in ("input", "output")},
            "cost": cost(calls, approval, (wins["day"] < self.whole.first_open).sum()),
        }

    @cached_property
    def matrix(self):
        names = self.whole.names
        alpha = FAMILY_ALPHA / max(1, len(names) * (len(names) - 1) / 2)
        return {one: {other: self._pair(one, other, alpha) for other in names if other != one} for one in names}

    def _pair(self, one, other, alpha):
        both = self.ballots[[{one, other} <= set(shown) for shown in self.ballots["contributors"]]]
        chosen = both[both["result"].isin([one, other])]
        chosen = chosen.assign(up=chosen["result"] == one)
        lead = Estimate((1, chosen))
        ahead = "ahead" if lead.value > 0.5 else "behind"
        return {
            "wins": int(chosen["up"].sum()),
            "losses": int((~chosen["up"]).sum()),
            "ties": int((both["result"] == "tie").sum()),
            "share": share_interval(chosen, len(chosen) >= MIN_BALLOTS),
            "verdict": ahead if abs(lead.value - 0.5) > lead.allowance(alpha) else None,
        }


class Estimate:
    """A sum of shares with signs. Each term is a sign and a frame with `up`, `voter_group` and `item_group`."""

    def __init__(self, *terms):
        self.value, self.independent, self.excess, self.freedom = 0.0, np.inf, np.inf, 1.0
        spreads = []
        if not terms or not all(len(frame) for _, frame in terms):
            return
        columns = ("voter_group", "item_group")
        freedom = min(effective(frame[column].value_counts()) for _, frame in terms for column in columns) - 1
        signs = np.array([sign for sign, _ in terms])
        self.value = float(sum(sign * frame["up"].mean() for sign, frame in terms))
        self.independent = sum(independent(frame["up"].sum(), len(frame)) for _, frame in terms)
        if freedom < 1:
            return
        data = pd.concat([frame.assign(term=index) for index, (_, frame) in enumerate(terms)])
        fit = sm.OLS(data["up"].astype(float).to_numpy(), np.eye(len(terms))[data["term"]]).fit()
        for column in columns:
            groups = data[column].nunique()
            covariance = cov_cluster(fit, data[column].to_numpy(), use_correction=False)
            spreads.append(signs @ covariance @ signs * groups / (groups - 1))
        self.set_clusters(spreads, freedom)

    def set_clusters(self, spreads, freedom):
        if freedom >= 1:
            together = sum(spreads) - (len(spreads) - 1) * self.independent
            self.excess, self.freedom = max(together, *spreads, self.independent) - self.independent, freedom

    @property
    def variance(self):
        return self.independent + self.excess

    def reach(self, sigmas=Z):
        student = stats.t.ppf(stats.norm.cdf(sigmas), self.freedom)
        return np.sqrt(sigmas**2 * self.independent + (student**2 * self.excess if self.excess else 0.0))

    def allowance(self, alpha):
        """How far a value has to be from 0 for those who look every day (Howard et al. 2021)."""
        if not np.isfinite(self.variance):
            return np.inf
        information = 1 / self.variance
        return self.reach(np.sqrt((1 + TUNING / information) * np.log((information + TUNING) / (TUNING * alpha**2))))


def independent(upvotes, votes):
    share = (upvotes + 1) / (votes + 2)
    return share * (1 - share) / votes


def effective(sizes):
    weights = sizes.astype(float) ** 2
    return weights.sum() ** 2 / (weights**2).sum()


def share_interval(frame, named):
    found = Estimate((1, frame))
    return {"value": float(found.value) if named else None, **wilson(found.value, found, len(frame))}


def wilson(share, found, votes):
    if not np.isfinite(found.variance):
        return {"low": 0.0, "high": 1.0}
    worth = votes * found.independent * (Z / found.reach()) ** 2
    low, high = proportion_confint(share * worth, worth, alpha=0.05, method="wilson")
    return {"low": float(max(low, 0.0)), "high": float(min(high, 1.0))}


def design_effect(frame):
    found = Estimate((1, frame))
    return float(found.variance / found.independent) if np.isfinite(found.variance) else None


def brand_effect(named, blind):
    found = Estimate((1, named), (-1, blind))
    if min(len(named), len(blind)) < MIN_VOTES or not np.isfinite(found.variance):
        return NOTHING
    return {"value": found.value, "low": found.value - found.reach(), "high": found.value + found.reach()}


def is_better(samples, one, other, alpha):
    found = Estimate((1, samples[one]), (-1, samples[other]))
    return found.value > found.allowance(alpha)


def verdict(samples, best, other, alpha):
    found = Estimate((1, samples[best]), (-1, samples[other]))
    if found.value > found.allowance(alpha):
        return "trails"
    return "within 3 points" if abs(found.value) + found.allowance(alpha) <= CLOSE else "too close to call"


def decisive(best, other):
    lead = best["up"].sum() * len(other) - other["up"].sum() * len(best)
    return int(lead // max(len(best), len(other)) + 1)


def votes_and_share(ups):
    return {"votes": len(ups), "approval": float(ups.mean()) if len(ups) >= MIN_VOTES else None}


def counts(votes):
    return {"votes": len(votes), "upvotes": int(votes["up"].sum())}


def votes_by_kind(votes):
    counted = votes[votes["standing"] == "counted"]
    return {
        "votes": counts(counted[counted["attribution"] == "blind"]),
        "named": counts(counted[counted["attribution"] == "named"]),
        "open": counts(counted[counted["attribution"] == "open"]),
        "unverified": int((votes["standing"] == "unverified").sum()),
        "setAside": int((votes["standing"] == "set_aside").sum()),
    }


def answered(calls):
    failed = calls["error_type"] != ""
    share = NOTHING
    if len(calls):
        days = calls.assign(up=~failed).groupby("day")["up"].agg(["size", "sum"])
        found = Estimate()
        found.independent = independent((~failed).sum(), len(calls))
        residuals = (days["sum"] - (~failed).mean() * days["size"]) / len(calls)
        spread = len(days) / (len(days) - 1) * (residuals**2).sum() if len(days) > 1 else 0.0
        found.set_clusters([spread], effective(days["size"]) - 1)
        value = float((~failed).mean())
        share = {"value": value if len(calls) >= MIN_CALLS else None, **wilson(value, found, len(calls))}
    return {
        "asked": len(calls),
        "answered": int((~failed).sum()),
        "failed": {str(reason): int(count) for reason, count in calls["error_type"][failed].value_counts().items()},
        "share": share,
    }


def refused(calls):
    reasons = sum(map(Counter, calls["rejected"]), Counter())
    written = calls["sayings"].sum() + reasons.total()
    return {
        "count": reasons.total(),
        "share": float(reasons.total() / written) if written else None,
        "reasons": dict(reasons),
    }


def latency(calls):
    good = calls["latency_ms"][calls["error_type"] == ""]
    late = good.tolist() + [np.inf] * (len(calls) - len(good))
    buckets = Counter(np.ceil(16 * np.log2(good)).astype(int).tolist())
    return {
        "asked": len(calls),
        "answered": len(good),
        **{f"p{percent}": percentile(late, percent) for percent in (50, 90, 99)},
        "histogram": [
            {"low": 2 ** ((index - 1) / 16), "high": 2 ** (index / 16), "count": count}
            for index, count in sorted(buckets.items())
        ],
    }


def percentile(latencies, percent):
    found = np.percentile(latencies, percent, method="inverted_cdf") if latencies else np.inf
    return float(found) if np.isfinite(found) else None


def cost(calls, approval, wins):
    served, compared = calls[calls["kind"] != "compare"], calls[calls["kind"] == "compare"]
    price = per(served, served["sayings"].sum())
    ends = (approval["value"], approval["high"], approval["low"])
    net = [price / (2 * end - 1) if end is not None and end > 0.5 else None for end in ends] if price else [None] * 3
    return {
        "total": float(calls["cost_nanos"].sum() / 1e9),
        "per1000": 1000 * price if price else None,
        "perNetUpvote": NOTHING if approval["value"] is None else dict(zip(NOTHING, net, strict=True)),
        "perBlindWin": per(compared, wins),
    }


def per(calls, count):
    if not count or not len(calls) or calls["cost_nanos"].isna().any():
        return None
    return float(calls["cost_nanos"].sum() / count / 1e9)


def luce(decided, shown, whole):
    """How often each model is picked among itself and the line-up: Luce's model as a Poisson regression.

    Each set of models shown has a term of its own, which makes it the likelihood of the choices (Baker 1994). The prior
    is half a win for each model in a comparison of all. The variance is a jackknife over groups.
    """
    enough = {name for name in whole.names if sum(name in names for names in decided["contributors"]) >= MIN_BALLOTS}
    rivals = {name: sorted(enough & set(whole.line_up) - {name}) for name in enough}
    if not any(rivals.values()):
        return {}
    sets = [tuple(sorted(names)) for names in shown]
    everybody = tuple(sorted({name for names in sets for name in names}))
    cells = pd.DataFrame(
        [(names, name) for names in sorted({*sets, everybody}) for name in names], columns=["shown", "name"]
    )
    design = pd.get_dummies(cells["shown"].astype(str)).join(pd.get_dummies(cells["name"]).iloc[:, 1:]).astype(float)

    def fit(some):
        wins = Counter(
            (names, result) for names, result, is_in in zip(sets, decided["result"], some, strict=True) if is_in
        )
        count = [wins[cell] + 0.5 * (cell[0] == everybody) for cell in cells.itertuples(index=False, name=None)]
        count = pd.Series(count, cells.index)
        seen = count.groupby(cells["shown"]).transform("sum") > 0
        terms = design[seen].loc[:, design[seen].any()]
        with warnings.catch_warnings(
            action="ignore"
        ):  # of as many weights as counts, where all models were always shown
            return sm.GLM(count[seen], terms, family=sm.families.Poisson()).fit(tol=1e-10, maxiter=200)

    whole_fit = fit(np.ones(len(decided), bool))
    parts = {
        column: [fit((decided[column] != group).to_numpy()) for group in decided[column].unique()]
        for column in ("voter_group", "item_group")
    }
    freedom = min(effective(decided[column].value_counts()) for column in parts) - 1
    found = {}
    for name, others in rivals.items():
        if others:
            value, gradient = log_odds(whole_fit, name, others)
            estimate = Estimate()
            estimate.independent = float(gradient @ whole_fit.cov_params() @ gradient)
            spreads = [
                (len(fits) - 1) / len(fits) * sum((log_odds(part, name, others)[0] - value) ** 2 for part in fits)
                for fits in parts.values()
            ]
            estimate.set_clusters(spreads, freedom)
            ends = (value, value - estimate.reach(), value + estimate.reach())
            found[name] = dict(zip(NOTHING, map(float, expit(ends)), strict=True))
    return found


def log_odds(fit, name, others):
    """The logarithm of the odds that the model is picked among itself and the others, and its gradient."""
    strengths = fit.params.reindex(others).fillna(0.0)
    gradient = pd.Series(0.0, fit.params.index)
    for other, weight in np.exp(strengths - logsumexp(strengths)).items():
        if other in gradient:
            gradient[other] = -weight
    if name in gradient:
        gradient[name] = 1.0
    return fit.params.get(name, 0.0) - logsumexp(strengths), gradient


if __name__ == "__main__":
    main()
