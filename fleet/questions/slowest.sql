-- The slowest resolvers: the middle answer and the 95th of 100.
-- :answers = 20
SELECT site, server_ip, server_port, count(*) AS answers,
       min(CASE WHEN 2 * place >= answers_of THEN rtt_ns END) AS median_ns,
       min(CASE WHEN 100 * place >= 95 * answers_of THEN rtt_ns END) AS p95_ns
FROM (
  SELECT site, server_ip, server_port, rtt_ns,
         row_number() OVER (PARTITION BY site, server_ip, server_port ORDER BY rtt_ns) AS place,
         count(*) OVER (PARTITION BY site, server_ip, server_port) AS answers_of
  FROM dns WHERE rtt_ns IS NOT NULL
) AS timed
GROUP BY site, server_ip, server_port
HAVING count(*) >= :answers
ORDER BY median_ns DESC, site, server_ip, server_port;
