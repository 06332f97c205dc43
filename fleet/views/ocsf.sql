-- Lookups by the names of OCSF 1.3 DNS Activity (class 4003).
CREATE OR REPLACE VIEW ocsf_dns AS
SELECT 4003 AS class_uid, 4 AS category_uid, CASE WHEN answer_frames IS NULL THEN 1 ELSE 6 END AS activity_id,
       ts AS time_dt, client_ip AS "src_endpoint.ip", client_port AS "src_endpoint.port",
       server_ip AS "dst_endpoint.ip", server_port AS "dst_endpoint.port",
       transport AS "connection_info.protocol_name", dns_id AS "query.packet_uid", qname AS "query.hostname",
       qtype AS "query.type", CASE WHEN answer_frames IS NOT NULL THEN detail END AS rcode,
       CASE WHEN failed THEN 2 WHEN failed IS NULL THEN 0 ELSE 1 END AS status_id,
       sensor AS "metadata.log_name", evidence AS "metadata.uid"
FROM dns;
