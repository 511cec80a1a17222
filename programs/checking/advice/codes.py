"""The codes of warnings: of each its title, what it means, what to do, and an example.

One declaration serves the check and docs/reference/findings.md, which
`python -m programs.checking.advice.codes` writes. A warning never blocks anything.
"""

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs/reference/findings.md"


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of warning."""

    title: str
    meaning: str
    example: str


CODES: dict[str, Code] = {
    "nothing_earns": Code(
        "Nothing is given",
        "No rule is live, so nobody earns anything; or a card or level is reached for nothing. "
        "Add a rule or an effect, or set one live.",
        'The only rule has `"state": "paused"`.',
    ),
    "rule_never_fires": Code(
        "A rule that can never fire",
        "Its condition, or the condition on its lines, asks one fact for what it cannot be at "
        "once, so it never holds, whatever happens. Change one of the comparisons; for "
        "alternatives use `any` instead of `all`.",
        "`order.net_minor >= 10000` and `order.net_minor < 5000`, both under `all`.",
    ),
    "schedule_never_opens": Code(
        "A schedule that never opens",
        "There is no instant at which the schedule is in force. Let it end after it starts, and "
        "let its days and hours fall between the two.",
        "From a Monday to the Wednesday after it, but only on weekdays 6 and 7.",
    ),
    "schedule_over": Code(
        "A schedule that is over",
        "The schedule ended before now, by the program's clock: the rule will not fire again. "
        "Give it a new end, or take the rule out.",
        '`"ends_at": "2020-01-01T00:00:00Z"`.',
    ),
    "open_ended_hours": Code(
        "Hours without an end",
        "The schedule says from which hour on, but not until when: it is in force to the midnight "
        "that ends the day. Add `until`, or `24:00` to say that midnight is meant.",
        '`"from": "14:00"` alone.',
    ),
    "unknown_tier": Code(
        "A tier that does not exist",
        "A condition compares `member.tier` with a key that no level of this program has; "
        "nobody is ever in it. Write the level's key as the ladder has it.",
        '`member.tier = "glod"` in a program with silver and gold.',
    ),
    "paused_tier": Code(
        "A tier that nobody enters",
        "A condition asks for a level that is paused. Set the level live, or the rule is for "
        "those alone who are in it still.",
        '`member.tier = "gold"` while gold is paused.',
    ),
    "unknown_activity": Code(
        "An activity that looks misspelt",
        "A rule listens to an activity that the document does not declare, and one that it does "
        "declare is spelt almost alike. Correct the trigger, or declare the activity.",
        "`activity:reveiw` beside a declared `review`.",
    ),
    "never_wins": Code(
        "A rule that is always beaten",
        "Whenever this rule could win in its exclusive group, another one gives as much or more "
        "and goes first. Raise what it gives, take it out of the group, or take it out.",
        "Double points for gold and triple points for everybody, in one group.",
    ),
    "overlapping_exclusives": Code(
        "Exclusive rules that tie",
        "Two rules of one exclusive group give exactly the same on the same lines with the same "
        "priority, and may both hold: which of them is named as the winner depends on their keys "
        "alone. Give them priorities of their own, or make them one rule with `any`.",
        "Double points on Tuesdays and double points for gold, both of priority 0.",
    ),
    "cap_below_award": Code(
        "A limit below a single award",
        "The limit is smaller than what the rule gives at one time, so the whole of it is never "
        "given. Raise the limit or lower the effect.",
        "500 points each time, at most 300 a day.",
    ),
    "limit_longer_than_schedule": Code(
        "A limit over a longer time than the schedule",
        "The limit counts by calendar weeks, months or years, but the rule is in force for less "
        "than one. Where the campaign crosses from one into the next, a member gets the limit "
        "twice. For once in the campaign use the period `ever`.",
        "Once a week, in a campaign of three days from Saturday to Monday.",
    ),
    "duplicate_rule": Code(
        "A rule that occurs twice",
        "Two live rules differ in nothing but key and name, so both fire and everything is given "
        "twice. Take one out.",
        "`base` and `base-2`, both one point per 100.",
    ),
    "nothing_to_multiply": Code(
        "A multiplier without anything to multiply",
        "Multipliers multiply what amounts and units earn, never fixed points, and no live rule "
        "earns points of this kind by amount or unit. Add one, or use another effect.",
        "`multiply_points` beside a single rule that adds 500.",
    ),
    "unreachable_level": Code(
        "A level that nobody can reach",
        "What moves members up cannot come to as much as the level asks for. Lower the "
        "threshold, choose another metric, or let a rule's points count (`counts_for_tier`).",
        "The metric is points, and the only rule adds 500 that do not count.",
    ),
    "gap_in_ladder": Code(
        "A wide gap in the ladder",
        "A level asks for more than ten times what the one below it does: hardly anybody will "
        "see the next step. Put a level between them, or check the number of zeros.",
        "Silver at 100,000 and gold at 5,000,000.",
    ),
    "higher_level_gives_less": Code(
        "A higher level that gives less",
        "A level has a smaller multiplier than a lower one, or lacks a perk that a lower one has: "
        "whoever is promoted loses something. Raise it, or repeat the perk.",
        "Silver multiplies by 1.25, gold by 1.1.",
    ),
    "entry_effect_lifts": Code(
        "An entry effect larger than its own level",
        "What a member gets on entering a level is at least as much as the level asks for. Lower "
        "the effect or raise the threshold.",
        "Gold is entered at 50.00 of spend and brings points worth 60.00.",
    ),
    "shorter_than_pending": Code(
        "Points that wait longer than they live",
        "Points of these terms are pending for longer than they can be spent afterwards. Let "
        "them live longer, or wait less.",
        "Pending for 30 days, expiring 7 days after that.",
    ),
    "notice_too_early": Code(
        "A notice before the points are there",
        "A notice of expiry is to come earlier than the points live, so it goes out the moment "
        "they are earned. Shorten the notice.",
        "A notice 30 days before points that live for 7.",
    ),
    "points_worth_nothing": Code(
        "Points that are worth nothing",
        "The value of this kind of points is 0, so paying with them and what is owed come to "
        "nothing. Give them a value, or leave `value` out for one minor unit a point.",
        '`"value": {"points": 1, "minor": 0}`.',
    ),
    "gives_back_too_much": Code(
        "A rule that gives back half of the price or more",
        "By the value of the points, a single order earns at least half of what it costs. Check "
        "`points`, `per_minor` and `value`: often one of them is meant in the other unit of money.",
        "1 point per 1 minor unit where a point is worth one minor unit: all of it.",
    ),
    "no_stamps": Code(
        "A card that nobody can fill",
        "No rule, card or surprise adds stamps to it. Add a rule with `add_stamps`, or pause it.",
        "A card `coffee` in a program whose rules add points alone.",
    ),
    "reward_above_points": Code(
        "Worth more than its points",
        "A reward in money costs fewer points than its value comes to by the value of the kind, or "
        "points that pay are worth more than that value says. That may be the offer; but what is "
        "owed is estimated by the value of the kind, and members will redeem nothing else.",
        "5,000 won off for 3,000 points that are worth a won each.",
    ),
    "unbounded_discount": Code(
        "A large share of any order",
        "A percentage of half the order or more has no `max_discount_minor`, so one large order "
        "costs more than all the others.",
        "50 % off, whatever the order comes to.",
    ),
    "free_without_limit": Code(
        "Free, as often as anybody likes",
        "A reward costs 0 points and has neither limits nor stock. Give it `limits`, such as once "
        "per member, or make it one that is only granted: a cost of null.",
        '`"cost_points": 0` and nothing else.',
    ),
    "reward_for_nobody": Code(
        "A reward that nobody can have",
        "It has no cost and no live effect grants it, so it is only given by hand; or its "
        "condition, or the one on its lines, cannot hold.",
        "A thank-you gift without a rule that grants it.",
    ),
    "no_stock": Code(
        "A reward without stock",
        "Its stock at first is 0. Nobody has it until `POST /v1/rewards/{key}/stock` adds some; "
        "where stock was moved before, the number in the document is ignored.",
        '`"stock": 0`.',
    ),
    "weak_code": Code(
        "Codes that can be guessed",
        "A pattern has fewer than twelve `#`, so fewer than 60 random bits. Wrong guesses are "
        "limited per member and address, but a short code is found by many who try. Leave the "
        "pattern out, or give it more.",
        "`WELCOME-####`.",
    ),
    "step_pays_fractions": Code(
        "Steps that pay fractions",
        "The step of paying with points does not come to whole minor units: what is over is cut "
        "off, to the member's loss.",
        "Steps of 5 where 10 points pay 1.",
    ),
    "removed_points": Code(
        "A kind of points that would be gone",
        "The published version has a kind of points that this document does not have, and members "
        "may have some. Their balances stay, are shown and expire as they would, and refunds still "
        "take back what orders earned; but nothing earns, adjusts or transfers them any more. "
        "Put the kind back with the same key, or take its rules out and let it run out.",
        "A program with `points` and `credit`, without `credit`.",
    ),
    "removed_card": Code(
        "A card that would be gone",
        "The published version has a card that this document does not have, and members may have "
        "stamps on it. It is shown to nobody and completed by nobody; what it brought is kept. "
        "The stamps are kept too and count again once there is a card with the same key. To end a "
        "card for a while, pause it instead.",
        "A new name for a card, written as a new key.",
    ),
    "removed_reward": Code(
        "A reward that would be gone",
        "The published version has a reward that this document does not have. What members hold, "
        "captured or were granted of it keeps its terms; nobody redeems it anew, and it is in no "
        "list. To end a reward for a while, pause it instead.",
        "A new name for a reward, written as a new key.",
    ),
    "offer_leads_nowhere": Code(
        "A referral offer whose links lead nowhere",
        "Links of the offer have no page to send friends to: whoever opens one gets the fallback, "
        "or an error. Say where they are welcome in `landing_url`.",
        "An offer without `landing_url`.",
    ),
    "offer_brings_nothing": Code(
        "A referral offer that one side has nothing of",
        "The advocate, or the friend, gets nothing: few share for nothing, and few come. Give that "
        "side an effect.",
        "An offer with `advocate` alone.",
    ),
    "offer_without_end": Code(
        "A referral offer that pays without end",
        "It pays before anybody has bought anything, and as often as somebody signs up. Bound it "
        "by `caps` or a `budget`, or pay when the first order qualifies.",
        '`"friend_at": "signup"` without a budget.',
    ),
    "offer_without_hold": Code(
        "A referral offer that pays at once",
        "Both sides are paid with the friend's order, and may have spent it when the order is sent "
        "back; what was spent is taken back as the kind of points says. Give it a `hold` as long "
        "as orders can be sent back.",
        "An offer for orders without `hold`.",
    ),
    "review_ends_in_payment": Code(
        "A review that ends in payment",
        "A referral that was found suspicious is paid when nobody has looked at it in time. Let "
        "`timeout_action` be reject, or see that somebody looks at the queue.",
        '`"timeout": "P7D"` without `timeout_action`.',
    ),
    "removed_offer": Code(
        "A referral offer that would be gone",
        "The published version has an offer that this document does not have. Friends who are on "
        "their way are paid on its terms; its links lead to no page and bring nobody any more. To "
        "end an offer for a while, pause it instead.",
        "A new name for an offer, written as a new key.",
    ),
    "surprise_never_won": Code(
        "A surprise that nobody wins",
        "Its probability is 0, and no number of losses wins it: every draw is lost. Raise the "
        "probability, or pause the surprise.",
        '`"probability_ppm": 0`.',
    ),
    "surprise_without_end": Code(
        "A surprise with every order",
        "It has no condition, is always won, and nothing bounds it: each order of each member "
        "brings it, for ever. Whoever gets it every time expects it. Give it a condition, a "
        "probability, a cool-down, limits or a budget, or make it an earning rule.",
        "A surprise with prizes alone.",
    ),
    "pity_without_bound": Code(
        "Wins by losses without end",
        "After so many losses in a row the next draw is won whatever the roll, and neither "
        "limits, a cool-down nor a budget bound how often. Give it one of them.",
        '`"pity_after": 5` and nothing else.',
    ),
    "budget_below_prize": Code(
        "A budget below a single prize",
        "Before a draw the budget must have the dearest prize, and it never has: nothing is ever "
        "drawn. Raise the budget, or make the prize smaller.",
        "Prizes of 500 points and a budget of 300 a day.",
    ),
    "holdout_too_small": Code(
        "A holdout too small to measure by",
        "A comparison waits until 100 members were treated and 100 held out. A share below 1 % "
        "takes more than 10,000 members with a chance until then. Hold out more of them, or none.",
        '`"holdout_bp": 50`.',
    ),
    "lone_group": Code(
        "A group of one",
        "No other surprise that runs is in the group, so it excludes nothing. Correct the key of "
        "the group, or take it out.",
        '`"group": "lucky"` beside two surprises of `"group": "luck"`.',
    ),
    "note_lacks_locale": Code(
        "A note that some cannot read",
        "The note has no text in a locale of the program: members of that locale read it in "
        "another language. Add the text.",
        "A note in English in a program of English and Korean.",
    ),
    "gift_not_to_be_had": Code(
        "A prize that cannot be given",
        "The prize grants a reward that is paused or has no stock at first: whoever wins it is "
        "told so and goes without. Set the reward live, or give it stock; where stock was moved "
        "before, the number in the document is ignored.",
        'A prize of a reward with `"stock": 0`.',
    ),
    "removed_level": Code(
        "A level that would be gone",
        "The published version has a level that this document does not have, and members may be "
        "in it. They lose it at once, in the middle of their term too, and stand on what they "
        "reach without it; a level that came in its place pays nothing for entering it. How many "
        "they are says `POST /v1/program/draft/impact`. To let nobody else in, pause the level "
        "instead.",
        "A ladder of silver and gold, without gold.",
    ),
}


def page() -> str:
    """The text of docs/reference/findings.md."""
    lines = [
        "# What the check warns of",
        "",
        "`POST /v1/program/draft/check` answers errors, which block saving, and warnings, which "
        "block nothing: what is allowed but probably not meant. `flask program import` names "
        "the same with their lines. Each has a code, a pointer to the place and a sentence with "
        "the document's own numbers. This page is written by "
        "`python -m programs.checking.advice.codes`.",
    ]
    for code, one in CODES.items():
        lines += ["", f"## `{code}`: {one.title}", "", one.meaning, "", f"Example: {one.example}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
