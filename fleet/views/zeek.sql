-- Lookups by the names of Zeek's dns.log (times in seconds).
CREATE OR REPLACE VIEW zeek_dns AS
SELECT ts, client_ip AS "id.orig_h", client_port AS "id.orig_p", server_ip AS "id.resp_h", server_port AS "id.resp_p",
       transport AS proto, dns_id AS trans_id, rtt_ns / 1e9 AS rtt, qname AS query, qtype AS qtype_name,
       CASE WHEN answer_frames IS NOT NULL THEN detail END AS rcode_name,
       site, sensor, evidence
FROM dns;
