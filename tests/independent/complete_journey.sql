-- Points per household of the Complete Journey year, straight from the data set's own files.
-- Parameters: $weeks (null: the whole year), $refund_bp (share of orders refunded), $refund_seed.
-- Views: transactions, products. Everything is whole cents and whole basis points (HUGEINT).

WITH lines AS (
    SELECT
        t.household_id,
        t.basket_id,
        t.product_id,
        t.transaction_timestamp AS placed_at,
        CAST(round(t.sales_value * 100) AS HUGEINT) AS cents,
        -- 1 point per 100 cents, and once more on produce.
        CASE WHEN p.department = 'PRODUCE' THEN 2 ELSE 1 END AS rate
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

factors AS (
    SELECT
        basket_id,
        CASE
            WHEN cents >= 500000 THEN 20000
            WHEN cents >= 150000 THEN 15000
            WHEN cents >= 40000 THEN 12500
            ELSE 10000
        END AS factor_bp
    FROM spent
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

kept AS (
    SELECT
        l.basket_id,
        sum(l.cents * l.rate) AS hundredths
    FROM ranked AS l
    LEFT JOIN refunds AS r USING (basket_id)
    WHERE l.position > coalesce(r.refunded_count, 0)
    GROUP BY l.basket_id
)

-- One rounding per order, at the end: nothing is negative, so // is the floor.
SELECT
    b.household_id,
    CAST(sum(coalesce(k.hundredths, 0) * f.factor_bp // 1000000) AS BIGINT) AS points
FROM baskets AS b
JOIN factors AS f USING (basket_id)
LEFT JOIN kept AS k USING (basket_id)
GROUP BY b.household_id
ORDER BY b.household_id
