"""The questions auditors ask most, as canned queries of Datasette: they stand on the page of the database.

How to extend: a line here; `:name` in the SQL becomes a field of a form.
"""

from __future__ import annotations

QUERIES: dict[str, dict[str, str]] = {
    "what_ran_and_why": {
        "title": "What ran and why: the pick, its score, its verdict",
        "sql": """select s.name as session, e.round, e.number, e.role, p.member, p.title, t.rule, t.scores,
  v.kind, v.reason, round(v.delta, 5) as delta, round(v.sigmas, 2) as sigmas, round(v.belief, 3) as belief
from experiments e join sessions s on s.id = e.session left join proposals p on p.id = e.proposal
left join tallies t on t.session = e.session and t.round = e.round
left join verdicts v on v.session = e.session and v.number = e.number order by e.id desc""",
    },
    "who_voted_for_what_was_kept": {
        "title": "Who forecast what was kept, and how surely",
        "sql": """select f.judge, count(*) as forecasts, round(avg(f.p), 3) as mean_forecast,
  sum(v.kind = 'keep') as kept, round(avg(case when v.kind = 'keep' then f.p end), 3) as when_kept,
  round(avg(case when v.kind != 'keep' then f.p end), 3) as when_not
from forecasts f join experiments e on e.proposal = f.proposal join verdicts v on v.session = e.session
  and v.number = e.number and v.settles = 1 where f.own = 0 group by f.judge order by f.judge""",
    },
    "replicates_of_kept_code": {
        "title": "The same code again: every run of code that was kept",
        "sql": """select k.session, k.number as kept_as, e.number, e.role, round(m.val_bpb, 5) as bpb, e.seed
from verdicts v join experiments k on k.session = v.session and k.number = v.number
join experiments e on e.session = k.session and e.code = k.code
join measurements m on m.session = e.session and m.number = e.number
where v.kind = 'keep' order by k.session, k.number, e.number""",
    },
    "cost_by_member_and_step": {
        "title": "What each member's steps cost",
        "sql": """select s.name as session, c.member, c.step, count(*) as calls,
  sum(r.id is null) as lost, sum(r.tokens_in) as tokens_in,
  sum(r.tokens_out) as tokens_out, round(sum(coalesce(r.cost_usd, c.reserved_usd)), 4) as usd,
  round(sum(case when r.id is null then c.reserved_usd else 0 end), 4) as set_aside,
  round(avg(r.seconds), 1) as mean_seconds
from calls c join sessions s on s.id = c.session left join replies r on r.call = c.id
group by 1, 2, 3 order by usd desc""",
    },
    "calls_that_failed": {
        "title": "Calls that were lost or failed",
        "sql": """select s.name as session, c.round, c.step, c.member, c.attempt, coalesce(r.status, 'lost') as status,
  c.reserved_usd
from calls c join sessions s on s.id = c.session left join replies r on r.call = c.id
where r.id is null or r.status != 'ok' order by c.id desc""",
    },
    "refusals_of_the_guard": {
        "title": "Proposals that the guard refused, by reason",
        "sql": """select p.member, substr(k.reason, 1, 120) as reason, count(*) as times, max(k.round) as last_round
from checks k join proposals p on p.id = k.proposal where k.valid = 0 group by 1, 2 order by times desc""",
    },
    "position_of_the_pick": {
        "title": "Does the display order sway judges? Rank given to what was shown first",
        "sql": """select b.judge, count(*) as ballots,
  round(avg(json_extract(b.ranking, '$[0]') = json_extract(s.shown, '$[0][0]')), 3) as first_shown_ranked_first,
  round(avg(1.0 / json_array_length(b.ranking)), 3) as by_chance
from ballots b join slates s on s.id = b.slate where json_array_length(b.ranking) > 1 group by 1 order by 1""",
    },
    "text_of_a_round": {
        "title": "Every word of a round: requests and replies",
        "sql": """select c.step, c.member, c.attempt, c.model, c.request, r.text, r.raw from calls c
join sessions s on s.id = c.session left join replies r on r.call = c.id
where s.name = :session and c.round = :round order by c.id""",
    },
    "head_of_the_ledger": {
        "title": "The last lines of the ledger",
        "sql": "select seq, datetime(at, 'unixepoch') as at, tbl, row_id, hash from ledger order by seq desc limit 50",
    },
}
