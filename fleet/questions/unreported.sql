-- Sites where lookups failed, and no finding above a note says so.
SELECT f.site, f.failures, f.clients, f.evidence
FROM (
  SELECT site, count(*) AS failures, count(DISTINCT client_ip) AS clients, min(concat(sensor, '/', evidence)) AS evidence
  FROM dns WHERE failed GROUP BY site
) AS f
LEFT JOIN (
  SELECT site, count(*) AS found FROM findings WHERE severity IN ('low', 'medium', 'high') GROUP BY site
) AS g ON g.site = f.site
WHERE g.found IS NULL
ORDER BY f.failures DESC, f.site;
