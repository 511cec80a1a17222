-- Points, level (0 to 3) and full cards per household of the Complete Journey year, straight from
-- the data set's own files: what they bought by amount, tier and happy hour, bonuses for visits (at
-- most so many a day), full stamp cards, and levels reached.
-- Parameters: $weeks (null: the whole year), $refund_bp (share of orders refunded), $refund_seed.
-- Views: transactions, products. Everything is whole cents and whole basis points (HUGEINT).

WITH RECURSIVE lines AS (
    SELECT
        t.household_id,
        t.basket_id,
        t.product_id,
        t.transaction_timestamp AS placed_at,
        CAST(round(t.sales_value * 100) AS HUGEINT) AS cents,
        -- 1 point per 100 cents, and once more on produce in the happy hour: Monday to Friday
        -- from 16:00 up to, not including, 20:00.
        CASE
            WHEN
                p.department = 'PRODUCE'
                AND isodow(t.transaction_timestamp) <= 5
                AND hour(t.transaction_timestamp) BETWEEN 16 AND 19
                THEN 2
            ELSE 1
        END AS rate
    FROM transactions AS t
    LEFT JOIN products AS p USING (product_id)
    WHERE $weeks IS NULL OR t.week <= $weeks
),

baskets AS (
    SELECT
        household_id,
        basket_id,
        placed_at,
        sum(cents) AS cents,
        count(*) AS line_count,
        md5(concat_ws(':', $refund_seed, basket_id)) AS digest
    FROM lines
    GROUP BY household_id, basket_id, placed_at
),

-- What the household had spent before this basket, in the twelve months up to it. Refunds come
-- only after the year is over, so a basket's tier never knows of them.
spent AS (
    SELECT
        b.basket_id,
        coalesce(sum(earlier.cents), 0) AS cents
    FROM baskets AS b
    LEFT JOIN baskets AS earlier
        ON earlier.household_id = b.household_id
        AND (
            earlier.placed_at < b.placed_at
            OR (earlier.placed_at = b.placed_at AND earlier.basket_id < b.basket_id)
        )
        AND earlier.placed_at > b.placed_at - INTERVAL 12 MONTH
    GROUP BY b.basket_id
),

-- Level before and after each basket; nothing leaves the window within one year.
ranks AS (
    SELECT
        b.basket_id,
        (s.cents >= 40000)::INT + (s.cents >= 150000)::INT + (s.cents >= 500000)::INT AS before,
        (s.cents + b.cents >= 40000)::INT + (s.cents + b.cents >= 150000)::INT
        + (s.cents + b.cents >= 500000)::INT AS after
    FROM baskets AS b
    JOIN spent AS s USING (basket_id)
),

factors AS (
    SELECT
        basket_id,
        CASE before WHEN 3 THEN 20000 WHEN 2 THEN 15000 WHEN 1 THEN 12500 ELSE 10000 END
            AS factor_bp
    FROM ranks
),

-- 25 for a visit, at most 40 a day: 25, then 15, then nothing. What a refund gives back later
-- changes no other basket's bonus.
visits AS (
    SELECT
        basket_id,
        CASE
            row_number() OVER (
                PARTITION BY household_id, CAST(placed_at AS DATE) ORDER BY placed_at, basket_id
            )
            WHEN 1 THEN 25
            WHEN 2 THEN 15
            ELSE 0
        END AS bonus
    FROM baskets
),

-- Of the digest of "seed:basket": digits 1-8 choose the order, 9-16 whole or by line, 17-24 how
-- many lines, which are those with the smallest digests of "seed:basket:product".
refunds AS (
    SELECT
        basket_id,
        CASE
            WHEN line_count = 1 THEN line_count
            WHEN CAST('0x' || substr(digest, 9, 8) AS BIGINT) % 2 = 0 THEN line_count
            ELSE 1 + CAST('0x' || substr(digest, 17, 8) AS BIGINT) % (line_count - 1)
        END AS refunded_count
    FROM baskets
    WHERE CAST('0x' || substr(digest, 1, 8) AS BIGINT) % 10000 < $refund_bp
),

ranked AS (
    SELECT
        lines.*,
        row_number() OVER (
            PARTITION BY basket_id
            ORDER BY md5(concat_ws(':', $refund_seed, basket_id, product_id)), product_id
        ) AS position
    FROM lines
),

-- What is left of each basket that still stands. Where all the money went back nothing does, though
-- a line that cost nothing was kept; a basket that never cost anything stands with any line.
kept AS (
    SELECT
        l.basket_id,
        sum(l.cents * l.rate) AS hundredths,
        sum(l.cents) AS cents
    FROM ranked AS l
    JOIN baskets AS b USING (basket_id)
    LEFT JOIN refunds AS r USING (basket_id)
    WHERE l.position > coalesce(r.refunded_count, 0)
    GROUP BY l.basket_id, b.cents
    HAVING sum(l.cents) > 0 OR b.cents = 0
),

-- The level that is left when everything is refunded; the ladder has no terms, so refunds lower it.
last_ranks AS (
    SELECT
        b.household_id,
        (sum(coalesce(k.cents, 0)) >= 40000)::INT + (sum(coalesce(k.cents, 0)) >= 150000)::INT
        + (sum(coalesce(k.cents, 0)) >= 500000)::INT AS rank
    FROM baskets AS b
    LEFT JOIN kept AS k USING (basket_id)
    GROUP BY b.household_id
),

-- A level pays once, and pays back when refunds lower the member from it. No basket is worth the
-- 1,100.00 between silver and gold, so no level is ever passed over.
entries AS (
    SELECT
        household_id,
        CASE rank WHEN 3 THEN 500 WHEN 2 THEN 200 WHEN 1 THEN 50 ELSE 0 END AS points
    FROM last_ranks
),

-- A stamp for each basket of 10.00 or more. A refund that leaves less takes it back; refunds are
-- told in time order, so the stamps of a household are lost one after the other.
stamps AS (
    SELECT
        b.household_id,
        b.basket_id,
        b.placed_at,
        CASE
            WHEN coalesce(k.cents, 0) < 1000
                THEN
                    row_number() OVER (
                        PARTITION BY b.household_id, coalesce(k.cents, 0) < 1000
                        ORDER BY b.placed_at, b.basket_id
                    )
        END AS lost_as
    FROM baskets AS b
    LEFT JOIN kept AS k USING (basket_id)
    WHERE b.cents >= 1000
),

-- The stamps of each household when so many were lost, from none to all of those.
losses AS (
    SELECT
        household_id,
        unnest(range(count(lost_as) + 1)) AS lost
    FROM stamps
    GROUP BY household_id
),

marks AS (
    SELECT
        s.household_id,
        l.lost,
        s.placed_at,
        row_number() OVER (
            PARTITION BY s.household_id, l.lost ORDER BY s.placed_at, s.basket_id
        ) AS position
    FROM stamps AS s
    JOIN losses AS l
        ON l.household_id = s.household_id
        AND (s.lost_as IS NULL OR s.lost_as > l.lost)
),

-- Ten make a full card; one that is not full two months after its first stamp is thrown away at
-- the end of that day.
cards AS (
    SELECT
        household_id,
        lost,
        position,
        placed_at AS first_at,
        1 AS stamped,
        0 AS completed
    FROM marks
    WHERE position = 1
    UNION ALL
    SELECT
        m.household_id,
        m.lost,
        m.position,
        CASE WHEN c.stamped = 10 OR late.is_late THEN m.placed_at ELSE c.first_at END,
        CASE WHEN c.stamped = 10 OR late.is_late THEN 1 ELSE c.stamped + 1 END,
        c.completed + CASE WHEN c.stamped = 9 AND NOT late.is_late THEN 1 ELSE 0 END
    FROM cards AS c
    JOIN marks AS m
        ON m.household_id = c.household_id
        AND m.lost = c.lost
        AND m.position = c.position + 1
    CROSS JOIN LATERAL (
        SELECT
            m.placed_at
            >= CAST(CAST(c.first_at AS DATE) + INTERVAL 2 MONTH AS DATE) + INTERVAL 1 DAY
            AS is_late
    ) AS late
),

-- A stamp less may move the dates between which the others count, and never completes a card: a
-- household keeps the fewest full cards that it ever came down to.
counts AS (
    SELECT
        l.household_id,
        l.lost,
        coalesce(max(c.completed), 0) AS completed
    FROM losses AS l
    LEFT JOIN cards AS c USING (household_id, lost)
    GROUP BY l.household_id, l.lost
),

full_cards AS (
    SELECT
        household_id,
        min(completed) AS completed
    FROM counts
    GROUP BY household_id
)

-- One rounding per order, at the end: nothing is negative, so // is the floor.
SELECT
    b.household_id,
    CAST(
        sum(
            coalesce(k.hundredths, 0) * f.factor_bp // 1000000
            + CASE WHEN k.basket_id IS NULL THEN 0 ELSE v.bonus END
        )
        + any_value(e.points)
        + 100 * coalesce(any_value(c.completed), 0)
        AS BIGINT
    ) AS points,
    any_value(l.rank) AS level,
    coalesce(any_value(c.completed), 0) AS card_count
FROM baskets AS b
JOIN factors AS f USING (basket_id)
JOIN visits AS v USING (basket_id)
LEFT JOIN kept AS k USING (basket_id)
JOIN last_ranks AS l ON l.household_id = b.household_id
JOIN entries AS e ON e.household_id = b.household_id
LEFT JOIN full_cards AS c ON c.household_id = b.household_id
GROUP BY b.household_id
ORDER BY b.household_id
