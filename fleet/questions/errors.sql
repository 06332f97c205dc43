-- ICMP errors by type, by how surely each is tied to what it is about, and how long after that it came.
SELECT e.icmp_version, e.icmp_type, e.icmp_code, l.level AS tie,
       count(*) AS errors,
       min(l.delta_ns) AS shortest_ns, max(l.delta_ns) AS longest_ns,
       min(concat(e.site, '/', e.sensor, '/', e.evidence)) AS evidence
FROM icmp_errors AS e
JOIN links AS l
  ON l.site = e.site AND l.sensor = e.sensor AND l.capture_sha256 = e.capture_sha256 AND l.frame = e.frame
WHERE l.kind = 'error_about' AND NOT e.copy
GROUP BY e.icmp_version, e.icmp_type, e.icmp_code, l.level
ORDER BY errors DESC, icmp_version, icmp_type, icmp_code, tie;
