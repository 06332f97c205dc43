-- The names and services that failed most, each with one piece of evidence.
-- :rows = 20
SELECT service, name, outcome,
       count(*) AS failures,
       count(DISTINCT site) AS sites,
       count(DISTINCT concat(site, '/', client_ip)) AS clients,
       min(concat(site, '/', sensor, '/', evidence)) AS evidence
FROM (
  SELECT 'dns' AS service, qname AS name, outcome, site, sensor, client_ip, evidence FROM dns WHERE failed
  UNION ALL
  SELECT service, name, outcome, site, sensor, client_ip, evidence FROM attempts WHERE failed
) AS failures
GROUP BY service, name, outcome
ORDER BY failures DESC, service, name, outcome
LIMIT :rows;
