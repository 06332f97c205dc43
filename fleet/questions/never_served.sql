-- Clients that failed at a server and were never served by any: who had no other.
SELECT site, client_ip,
       count(*) AS lookups,
       count(DISTINCT server_ip) AS servers,
       min(ts) AS first_at, max(ts) AS last_at,
       min(concat(sensor, '/', evidence)) AS evidence
FROM dns
GROUP BY site, client_ip
HAVING sum(CASE WHEN failed THEN 1 ELSE 0 END) > 0 AND sum(CASE WHEN failed THEN 0 ELSE 1 END) = 0
ORDER BY site, client_ip;
