-- The first and last failure of each server at each site, with the last success before and the first after.
SELECT f.site, f.server_ip, f.server_port, f.failures, f.clients,
       max(CASE WHEN NOT d.failed AND d.ts < f.first_at THEN d.ts END) AS served_before_at,
       f.first_at AS failed_first_at, f.last_at AS failed_last_at,
       min(CASE WHEN NOT d.failed AND d.ts > f.last_at THEN d.ts END) AS served_after_at,
       f.evidence
FROM (
  SELECT site, server_ip, server_port, count(*) AS failures, count(DISTINCT client_ip) AS clients,
         min(ts) AS first_at, max(ts) AS last_at, min(concat(sensor, '/', evidence)) AS evidence
  FROM dns WHERE failed GROUP BY site, server_ip, server_port
) AS f
JOIN dns AS d ON d.site = f.site AND d.server_ip = f.server_ip AND d.server_port = f.server_port
GROUP BY f.site, f.server_ip, f.server_port, f.failures, f.clients, f.first_at, f.last_at, f.evidence
ORDER BY failures DESC, site, server_ip, server_port;
