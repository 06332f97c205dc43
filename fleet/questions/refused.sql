-- Which resolvers and services were refused: where, when, by whom, for how many clients, with one piece of evidence.
SELECT site, service, server_ip, server_port, transport, refused_by,
       count(*) AS refusals,
       count(DISTINCT concat(site, '/', client_ip)) AS clients,
       min(ts) AS first_at, max(ts) AS last_at,
       min(evidence) AS evidence
FROM (
  SELECT site, 'dns' AS service, server_ip, server_port, transport, error_from AS refused_by, client_ip, ts, evidence
  FROM dns WHERE outcome = 'refused_by_icmp'
  UNION ALL
  SELECT site, service, server_ip, server_port, transport, server_ip AS refused_by, client_ip, ts, evidence
  FROM attempts WHERE outcome IN ('refused_by_reset', 'refused_by_icmp')
) AS refused
GROUP BY site, service, server_ip, server_port, transport, refused_by
ORDER BY refusals DESC, site, service, server_ip, server_port, transport, refused_by;
