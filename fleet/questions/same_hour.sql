-- The same failure of one server at several sites within one hour.
-- :sites = 4
SELECT date_trunc('hour', ts) AS hour_at, server_ip, server_port, outcome,
       count(DISTINCT site) AS sites,
       count(DISTINCT concat(site, '/', client_ip)) AS clients,
       count(*) AS lookups,
       min(concat(site, '/', sensor, '/', evidence)) AS evidence
FROM dns
WHERE failed
GROUP BY date_trunc('hour', ts), server_ip, server_port, outcome
HAVING count(DISTINCT site) >= :sites
ORDER BY hour_at, server_ip, server_port, outcome;
