-- Lookups and failures of each site before and after a change.
-- :change_ns = 1715695200000000000
SELECT site,
       sum(CASE WHEN ts_ns < :change_ns THEN 1 ELSE 0 END) AS before,
       sum(CASE WHEN ts_ns < :change_ns AND failed THEN 1 ELSE 0 END) AS failed_before,
       sum(CASE WHEN ts_ns >= :change_ns THEN 1 ELSE 0 END) AS after,
       sum(CASE WHEN ts_ns >= :change_ns AND failed THEN 1 ELSE 0 END) AS failed_after
FROM dns
WHERE failed IS NOT NULL
GROUP BY site
ORDER BY site;
