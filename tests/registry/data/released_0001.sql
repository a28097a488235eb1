BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE artifact (
	dataset_id INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	in_place INTEGER NOT NULL, 
	size INTEGER NOT NULL, 
	sha256 TEXT NOT NULL, 
	content_sha256 TEXT NOT NULL, 
	CONSTRAINT pk_artifact PRIMARY KEY (dataset_id), 
	CONSTRAINT ck_artifact_in_place_yes_no CHECK (in_place IN (0, 1)), 
	CONSTRAINT fk_artifact_dataset_id_dataset FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE CASCADE
)
 STRICT

;
INSERT INTO "artifact" VALUES(1,'calibs/1/bias/_/bias_lupine_0_9b3ec072.json',0,37,'3c74f18bf0a978ba63b3c6385ca25a585da109eb7f6988c650bbcf94ad689fb9','3a69a297ff05b5e4774d272589576bb721a18f72a8fbc2fbea85ecb37236573a');
INSERT INTO "artifact" VALUES(2,'calibs/1/bias/_/bias_lupine_1_16648f83.json',0,37,'27505618d71332f694c254ca99919b028349c6e012e76da94be6fe36091297a6','16a5197c426cd95602315f8e3673a9738175687f7f09d44ede8144b2a9be21f3');
INSERT INTO "artifact" VALUES(3,'calibs/1/flat/_/flat_lupine_0_r_e6ef7d91.json',0,36,'c94a65634c4a5744354967e0fd250688ae5d2e67fd49f9519eaac12c2ab11cfe','c8c7715d30bb38b7d1fd44a11180a176f91f603b9488906a8e7fb325d0c9493e');
INSERT INTO "artifact" VALUES(4,'calibs/1/flat/_/flat_lupine_1_r_b0c0e8b4.json',0,36,'f0fc7a57785f7e4c740fe3f2601643304ae0ccb410ad93ad8c3619157b886d43','fa9d11bcc78458b6bc98d74d71529d98e1fdd3c4ae8140619be6b06c6a7b5669');
INSERT INTO "artifact" VALUES(5,'calibs/2/bias/_/bias_lupine_0_0579e251.json',0,37,'3852298067caa83494a5a68aff7c2d847f3352f01344923defb67c094386ae1e','e2e661d6de54de0408778c1b58fdbb686dab226fbacf39a198ae6e932fa85ddc');
INSERT INTO "artifact" VALUES(6,'raw/lupine/20260301/raw_lupine_20260301005_0_fca3b92c.json',0,26,'63b1bddf83546f09f434cce7f628966c14f7dabd687a4c3b361794f9fbbda17b','5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9');
INSERT INTO "artifact" VALUES(7,'raw/lupine/20260301/raw_lupine_20260301005_1_a01208d9.json',0,26,'6efab507e5b1b0ad57396011e2dc75f33673eea3f442f762cf91e7a632eefac5','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b');
INSERT INTO "artifact" VALUES(8,'night/1/post_isr/20260301/post_isr_lupine_20260301005_0_8f8891be.json',0,31,'72f7493c336bbfd4368f7093d57272e1addd678c10372e9a88c54db704bdb44c','49a64717d5d4cb19952e6eac2946415cf6879adacf9908e7d872332d32c6e684');
INSERT INTO "artifact" VALUES(9,'night/1/statistics/20260301/statistics_lupine_20260301005_0_65a0bd26.json',0,36,'a6f1101299596319102f4bfeac3b1854e8620f6185987811e9133e4d8fbfc0fe','45a4ab7871b2c3bb2e87feb85193aecf9c8008e956847e29699a92013619a064');
CREATE TABLE calib_set (
	id INTEGER NOT NULL, 
	sha256 TEXT NOT NULL, 
	CONSTRAINT pk_calib_set PRIMARY KEY (id), 
	CONSTRAINT uq_calib_set_sha256 UNIQUE (sha256)
)
 STRICT

;
INSERT INTO "calib_set" VALUES(1,'306b9d4d021d22d794d70e250ddc03bfbd92fab0ffb0e621ccfb61a98ceea8df');
INSERT INTO "calib_set" VALUES(2,'9e452b867f9b57063922b9373b0830c9107f12cb79209ae672480d018d65551d');
INSERT INTO "calib_set" VALUES(3,'4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945');
CREATE TABLE calib_set_member (
	set_id INTEGER NOT NULL, 
	role TEXT NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	validity_id INTEGER, 
	collection_id INTEGER NOT NULL, 
	warning TEXT, 
	CONSTRAINT pk_calib_set_member PRIMARY KEY (set_id, role), 
	CONSTRAINT fk_calib_set_member_collection_id_collection FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_calib_set_member_dataset_id_dataset FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_calib_set_member_set_id_calib_set FOREIGN KEY(set_id) REFERENCES calib_set (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_calib_set_member_validity_id_calib_validity FOREIGN KEY(validity_id) REFERENCES calib_validity (id) ON DELETE RESTRICT
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "calib_set_member" VALUES(1,'bias',1,5,4,NULL);
INSERT INTO "calib_set_member" VALUES(1,'flat',3,3,4,NULL);
INSERT INTO "calib_set_member" VALUES(2,'bias',2,2,4,NULL);
INSERT INTO "calib_set_member" VALUES(2,'flat',4,4,4,NULL);
CREATE TABLE calib_validity (
	id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	type_id INTEGER NOT NULL, 
	instrument_id INTEGER NOT NULL, 
	detector_id INTEGER NOT NULL, 
	filter_id INTEGER NOT NULL, 
	mode_id INTEGER NOT NULL, 
	begin_ns INTEGER NOT NULL, 
	end_ns INTEGER NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	certified_at INTEGER NOT NULL, 
	revoked_at INTEGER DEFAULT 4611686018427387904 NOT NULL, 
	CONSTRAINT pk_calib_validity PRIMARY KEY (id), 
	CONSTRAINT ck_calib_validity_begins_before_it_ends CHECK (begin_ns < end_ns), 
	CONSTRAINT ck_calib_validity_certified_before_revoked CHECK (certified_at < revoked_at), 
	CONSTRAINT fk_calib_validity_certified_at_registry_event FOREIGN KEY(certified_at) REFERENCES registry_event (seq) ON DELETE RESTRICT, 
	CONSTRAINT fk_calib_validity_collection_id_collection FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_calib_validity_dataset_id_dataset FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_calib_validity_detector_id_detector FOREIGN KEY(detector_id) REFERENCES detector (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_calib_validity_filter_id_physical_filter FOREIGN KEY(filter_id) REFERENCES physical_filter (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_calib_validity_instrument_id_instrument FOREIGN KEY(instrument_id) REFERENCES instrument (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_calib_validity_mode_id_readout_mode FOREIGN KEY(mode_id) REFERENCES readout_mode (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_calib_validity_type_id_dataset_type FOREIGN KEY(type_id) REFERENCES dataset_type (id) ON DELETE RESTRICT
)
 STRICT

;
INSERT INTO "calib_validity" VALUES(1,4,2,1,1,0,0,-4611686018427387904,4611686018427387904,1,3,4);
INSERT INTO "calib_validity" VALUES(2,4,2,1,2,0,0,-4611686018427387904,4611686018427387904,2,3,4611686018427387904);
INSERT INTO "calib_validity" VALUES(3,4,3,1,1,1,0,-4611686018427387904,4611686018427387904,3,3,4611686018427387904);
INSERT INTO "calib_validity" VALUES(4,4,3,1,2,1,0,-4611686018427387904,4611686018427387904,4,3,4611686018427387904);
INSERT INTO "calib_validity" VALUES(5,4,2,1,1,0,0,-4611686018427387904,1772409637000000000,1,4,4611686018427387904);
INSERT INTO "calib_validity" VALUES(6,4,2,1,1,0,0,1773014437000000000,4611686018427387904,1,4,4611686018427387904);
INSERT INTO "calib_validity" VALUES(7,4,2,1,1,0,0,1772409637000000000,1773014437000000000,5,4,4611686018427387904);
CREATE TABLE collection (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	doc TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	created_ns INTEGER NOT NULL, 
	frozen INTEGER DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_collection PRIMARY KEY (id), 
	CONSTRAINT ck_collection_kind_known CHECK (kind IN ('RUN', 'TAGGED', 'CHAINED', 'CALIBRATION')), 
	CONSTRAINT ck_collection_frozen_yes_no CHECK (frozen IN (0, 1)), 
	CONSTRAINT uq_collection_name UNIQUE (name)
)
 STRICT

;
INSERT INTO "collection" VALUES(1,'raw/lupine','RUN','','ada@old',1795401056637160378,0);
INSERT INTO "collection" VALUES(2,'calibs/1','RUN','','ada@old',1795401056646929785,0);
INSERT INTO "collection" VALUES(3,'night/1','RUN','','ada@old',1795401056647591609,0);
INSERT INTO "collection" VALUES(4,'calibs','CALIBRATION','','ada@old',1795401056648082118,0);
INSERT INTO "collection" VALUES(5,'calibs/2','RUN','','ada@old',1795401056850085266,0);
INSERT INTO "collection" VALUES(6,'best','TAGGED','','',1795401056930423913,0);
INSERT INTO "collection" VALUES(7,'all','CHAINED','','',1795401056932617481,0);
CREATE TABLE collection_chain (
	parent_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	child_id INTEGER NOT NULL, 
	CONSTRAINT pk_collection_chain PRIMARY KEY (parent_id, position), 
	CONSTRAINT ck_collection_chain_not_itself CHECK (parent_id <> child_id), 
	CONSTRAINT fk_collection_chain_child_id_collection FOREIGN KEY(child_id) REFERENCES collection (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_collection_chain_parent_id_collection FOREIGN KEY(parent_id) REFERENCES collection (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_collection_chain_parent_id_child_id UNIQUE (parent_id, child_id)
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "collection_chain" VALUES(7,0,6);
INSERT INTO "collection_chain" VALUES(7,1,4);
INSERT INTO "collection_chain" VALUES(7,2,1);
CREATE TABLE config_blob (
	id INTEGER NOT NULL, 
	sha256 TEXT NOT NULL, 
	canonical TEXT NOT NULL, 
	CONSTRAINT pk_config_blob PRIMARY KEY (id), 
	CONSTRAINT uq_config_blob_sha256 UNIQUE (sha256)
)
 STRICT

;
INSERT INTO "config_blob" VALUES(1,'015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862','{"a":1}');
CREATE TABLE dataset (
	id INTEGER NOT NULL, 
	uuid TEXT NOT NULL, 
	type_id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	instrument_id INTEGER NOT NULL, 
	exposure_id INTEGER NOT NULL, 
	detector_id INTEGER NOT NULL, 
	filter_id INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	created_ns INTEGER NOT NULL, 
	CONSTRAINT pk_dataset PRIMARY KEY (id), 
	CONSTRAINT ck_dataset_status_known CHECK (status IN ('STAGED', 'LIVE', 'MISSING', 'DELETING', 'PURGED')), 
	CONSTRAINT fk_dataset_detector_id_detector FOREIGN KEY(detector_id) REFERENCES detector (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_exposure_id_exposure FOREIGN KEY(exposure_id) REFERENCES exposure (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_filter_id_physical_filter FOREIGN KEY(filter_id) REFERENCES physical_filter (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_instrument_id_instrument FOREIGN KEY(instrument_id) REFERENCES instrument (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_run_id_collection FOREIGN KEY(run_id) REFERENCES collection (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_type_id_dataset_type FOREIGN KEY(type_id) REFERENCES dataset_type (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_dataset_identity UNIQUE (run_id, type_id, instrument_id, exposure_id, detector_id, filter_id), 
	CONSTRAINT uq_dataset_uuid UNIQUE (uuid)
)
 STRICT

;
INSERT INTO "dataset" VALUES(1,'9b3ec07275a057c692cf73bc32e96212',2,2,1,0,1,0,'LIVE',1795401056656304609);
INSERT INTO "dataset" VALUES(2,'16648f8396465fc99ff5c421589b12d7',2,2,1,0,2,0,'LIVE',1795401056720104163);
INSERT INTO "dataset" VALUES(3,'e6ef7d91604758a0aa90764b05a6953a',3,2,1,0,1,1,'LIVE',1795401056756030973);
INSERT INTO "dataset" VALUES(4,'b0c0e8b4c4935e61a97e2b590fcb05c5',3,2,1,0,2,1,'LIVE',1795401056802301950);
INSERT INTO "dataset" VALUES(5,'0579e25177d157f48fd958987a471613',2,5,1,0,1,0,'LIVE',1795401056852286078);
INSERT INTO "dataset" VALUES(6,'fca3b92c87905037add12b00025b1c4f',1,1,1,6,1,0,'LIVE',1795401056954520815);
INSERT INTO "dataset" VALUES(7,'a01208d929185fd882896a94185745ed',1,1,1,6,2,0,'LIVE',1795401056998893801);
INSERT INTO "dataset" VALUES(8,'8f8891be5a395efea04b523ed2bd5776',4,3,1,6,1,0,'LIVE',1795401057140550617);
INSERT INTO "dataset" VALUES(9,'65a0bd26cd325357bb3de374998749eb',5,3,1,6,1,0,'LIVE',1795401057140550617);
CREATE TABLE dataset_tag (
	collection_id INTEGER NOT NULL, 
	type_id INTEGER NOT NULL, 
	instrument_id INTEGER NOT NULL, 
	exposure_id INTEGER NOT NULL, 
	detector_id INTEGER NOT NULL, 
	filter_id INTEGER NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	CONSTRAINT pk_dataset_tag PRIMARY KEY (collection_id, type_id, instrument_id, exposure_id, detector_id, filter_id), 
	CONSTRAINT fk_dataset_tag_collection_id_collection FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_tag_dataset_id_dataset FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_tag_detector_id_detector FOREIGN KEY(detector_id) REFERENCES detector (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_tag_exposure_id_exposure FOREIGN KEY(exposure_id) REFERENCES exposure (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_tag_filter_id_physical_filter FOREIGN KEY(filter_id) REFERENCES physical_filter (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_tag_instrument_id_instrument FOREIGN KEY(instrument_id) REFERENCES instrument (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_dataset_tag_type_id_dataset_type FOREIGN KEY(type_id) REFERENCES dataset_type (id) ON DELETE RESTRICT
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "dataset_tag" VALUES(6,2,1,0,1,0,1);
INSERT INTO "dataset_tag" VALUES(6,3,1,0,2,1,4);
CREATE TABLE dataset_type (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	dimensions INTEGER NOT NULL, 
	formatter TEXT NOT NULL, 
	is_calibration INTEGER NOT NULL, 
	on_missing TEXT NOT NULL, 
	CONSTRAINT pk_dataset_type PRIMARY KEY (id), 
	CONSTRAINT ck_dataset_type_on_missing_known CHECK (on_missing IN ('error', 'skip', 'optional')), 
	CONSTRAINT ck_dataset_type_is_calibration_yes_no CHECK (is_calibration IN (0, 1)), 
	CONSTRAINT uq_dataset_type_name UNIQUE (name)
)
 STRICT

;
INSERT INTO "dataset_type" VALUES(1,'raw',11,'json',0,'error');
INSERT INTO "dataset_type" VALUES(2,'bias',3,'json',1,'error');
INSERT INTO "dataset_type" VALUES(3,'flat',7,'json',1,'error');
INSERT INTO "dataset_type" VALUES(4,'post_isr',11,'json',0,'error');
INSERT INTO "dataset_type" VALUES(5,'statistics',11,'json',0,'error');
CREATE TABLE detector (
	id INTEGER NOT NULL, 
	instrument_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	serial TEXT NOT NULL, 
	purpose TEXT NOT NULL, 
	CONSTRAINT pk_detector PRIMARY KEY (id), 
	CONSTRAINT fk_detector_instrument_id_instrument FOREIGN KEY(instrument_id) REFERENCES instrument (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_detector_instrument_id_number UNIQUE (instrument_id, number)
)
 STRICT

;
INSERT INTO "detector" VALUES(0,0,0,'none','','');
INSERT INTO "detector" VALUES(1,1,0,'D0','','science');
INSERT INTO "detector" VALUES(2,1,1,'D1','','science');
CREATE TABLE exposure (
	id INTEGER NOT NULL, 
	instrument_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	obs_id TEXT NOT NULL, 
	day_obs INTEGER NOT NULL, 
	seq_num INTEGER NOT NULL, 
	filter_id INTEGER NOT NULL, 
	mode_id INTEGER NOT NULL, 
	obs_type TEXT NOT NULL, 
	object_name TEXT NOT NULL, 
	begin_ns INTEGER NOT NULL, 
	end_ns INTEGER NOT NULL, 
	mid_ns INTEGER NOT NULL, 
	exposure_time_s REAL NOT NULL, 
	dark_time_s REAL, 
	ra_deg REAL, 
	dec_deg REAL, 
	attrs TEXT NOT NULL, 
	CONSTRAINT pk_exposure PRIMARY KEY (id), 
	CONSTRAINT ck_exposure_times_in_order CHECK (begin_ns <= mid_ns AND mid_ns <= end_ns), 
	CONSTRAINT fk_exposure_filter_id_physical_filter FOREIGN KEY(filter_id) REFERENCES physical_filter (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_exposure_instrument_id_instrument FOREIGN KEY(instrument_id) REFERENCES instrument (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_exposure_mode_id_readout_mode FOREIGN KEY(mode_id) REFERENCES readout_mode (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_exposure_instrument_id_number UNIQUE (instrument_id, number)
)
 STRICT

;
INSERT INTO "exposure" VALUES(0,0,0,'none',0,0,0,0,'','',0,0,0,0.0,NULL,NULL,NULL,'{}');
INSERT INTO "exposure" VALUES(1,1,20260301000,'L20260301-000',20260301,0,0,0,'bias','',1772402437000000000,1772402467000000000,1772402452000000000,30.0,NULL,NULL,NULL,'{}');
INSERT INTO "exposure" VALUES(2,1,20260301001,'L20260301-001',20260301,1,0,0,'bias','',1772402497000000000,1772402527000000000,1772402512000000000,30.0,NULL,NULL,NULL,'{}');
INSERT INTO "exposure" VALUES(3,1,20260301002,'L20260301-002',20260301,2,0,0,'bias','',1772402557000000000,1772402587000000000,1772402572000000000,30.0,NULL,NULL,NULL,'{}');
INSERT INTO "exposure" VALUES(4,1,20260301003,'L20260301-003',20260301,3,1,0,'science','',1772402617000000000,1772402647000000000,1772402632000000000,30.0,NULL,NULL,NULL,'{}');
INSERT INTO "exposure" VALUES(5,1,20260301004,'L20260301-004',20260301,4,1,0,'science','',1772402677000000000,1772402707000000000,1772402692000000000,30.0,NULL,NULL,NULL,'{}');
INSERT INTO "exposure" VALUES(6,1,20260301005,'L20260301-005',20260301,5,1,0,'science','',1772402737000000000,1772402767000000000,1772402752000000000,30.0,NULL,NULL,NULL,'{}');
CREATE TABLE instrument (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	rollover_s REAL NOT NULL, 
	camera_name TEXT NOT NULL, 
	CONSTRAINT pk_instrument PRIMARY KEY (id), 
	CONSTRAINT uq_instrument_name UNIQUE (name)
)
 STRICT

;
INSERT INTO "instrument" VALUES(0,'none',0.0,'');
INSERT INTO "instrument" VALUES(1,'lupine',0.0,'');
CREATE TABLE journal (
	id INTEGER NOT NULL, 
	op TEXT NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	quantum_id INTEGER, 
	role TEXT NOT NULL, 
	tmp_path TEXT, 
	final_path TEXT NOT NULL, 
	size INTEGER, 
	sha256 TEXT, 
	content_sha256 TEXT, 
	payload TEXT, 
	owner TEXT NOT NULL, 
	lease_until_ns INTEGER NOT NULL, 
	created_ns INTEGER NOT NULL, 
	CONSTRAINT pk_journal PRIMARY KEY (id), 
	CONSTRAINT ck_journal_op_known CHECK (op IN ('PUT', 'DELETE')), 
	CONSTRAINT fk_journal_dataset_id_dataset FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_journal_quantum_id_quantum FOREIGN KEY(quantum_id) REFERENCES quantum (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_journal_dataset_id UNIQUE (dataset_id)
)
 STRICT

;
CREATE TABLE physical_filter (
	id INTEGER NOT NULL, 
	instrument_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	band TEXT NOT NULL, 
	CONSTRAINT pk_physical_filter PRIMARY KEY (id), 
	CONSTRAINT fk_physical_filter_instrument_id_instrument FOREIGN KEY(instrument_id) REFERENCES instrument (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_physical_filter_instrument_id_name UNIQUE (instrument_id, name)
)
 STRICT

;
INSERT INTO "physical_filter" VALUES(0,0,'none','');
INSERT INTO "physical_filter" VALUES(1,1,'r','r');
CREATE TABLE quantum (
	id INTEGER NOT NULL, 
	uuid TEXT NOT NULL, 
	run_id INTEGER NOT NULL, 
	task TEXT NOT NULL, 
	instrument_id INTEGER NOT NULL, 
	exposure_id INTEGER NOT NULL, 
	detector_id INTEGER NOT NULL, 
	filter_id INTEGER NOT NULL, 
	config_id INTEGER NOT NULL, 
	software_id INTEGER NOT NULL, 
	calib_set_id INTEGER NOT NULL, 
	content_key TEXT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT, 
	attempt INTEGER DEFAULT 0 NOT NULL, 
	retriable INTEGER DEFAULT 1 NOT NULL, 
	worker TEXT, 
	lease_until_ns INTEGER, 
	CONSTRAINT pk_quantum PRIMARY KEY (id), 
	CONSTRAINT ck_quantum_leased_by_somebody CHECK ((state = 'leased') = (worker IS NOT NULL AND lease_until_ns IS NOT NULL)), 
	CONSTRAINT ck_quantum_skipped_for_a_reason CHECK ((state = 'skipped') = (reason IS NOT NULL)), 
	CONSTRAINT ck_quantum_state_known CHECK (state IN ('planned', 'leased', 'done', 'failed', 'skipped')), 
	CONSTRAINT ck_quantum_retriable_yes_no CHECK (retriable IN (0, 1)), 
	CONSTRAINT fk_quantum_calib_set_id_calib_set FOREIGN KEY(calib_set_id) REFERENCES calib_set (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_quantum_config_id_config_blob FOREIGN KEY(config_id) REFERENCES config_blob (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_quantum_detector_id_detector FOREIGN KEY(detector_id) REFERENCES detector (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_quantum_exposure_id_exposure FOREIGN KEY(exposure_id) REFERENCES exposure (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_quantum_filter_id_physical_filter FOREIGN KEY(filter_id) REFERENCES physical_filter (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_quantum_instrument_id_instrument FOREIGN KEY(instrument_id) REFERENCES instrument (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_quantum_run_id_collection FOREIGN KEY(run_id) REFERENCES collection (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_quantum_software_id_software_env FOREIGN KEY(software_id) REFERENCES software_env (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_quantum_identity UNIQUE (run_id, task, instrument_id, exposure_id, detector_id, filter_id), 
	CONSTRAINT uq_quantum_uuid UNIQUE (uuid)
)
 STRICT

;
INSERT INTO "quantum" VALUES(1,'f9454452af25509faedd9f7973fe5fa3',3,'isr',1,6,1,0,1,1,1,'key0','done',NULL,1,1,NULL,NULL);
INSERT INTO "quantum" VALUES(2,'75419e9c1208508e9f31755509cc0f69',3,'isr',1,6,2,0,1,1,2,'key1','planned',NULL,0,1,NULL,NULL);
CREATE TABLE quantum_attempt (
	quantum_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	worker TEXT NOT NULL, 
	host TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	started_ns INTEGER NOT NULL, 
	ended_ns INTEGER, 
	error_kind TEXT, 
	error_message TEXT, 
	traceback_text TEXT, 
	seconds REAL, 
	cpu_s REAL, 
	peak_rss_bytes INTEGER, 
	metrics TEXT, 
	CONSTRAINT pk_quantum_attempt PRIMARY KEY (quantum_id, number), 
	CONSTRAINT ck_quantum_attempt_outcome_known CHECK (outcome IN ('running', 'done', 'failed', 'lost')), 
	CONSTRAINT fk_quantum_attempt_quantum_id_quantum FOREIGN KEY(quantum_id) REFERENCES quantum (id) ON DELETE RESTRICT
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "quantum_attempt" VALUES(1,1,'heimdall/38f9a134/4026531836/14543/2624500','heimdall','done',1795401057125985685,1795401057201061189,NULL,NULL,NULL,1.5,NULL,NULL,NULL);
CREATE TABLE quantum_input (
	quantum_id INTEGER NOT NULL, 
	role TEXT NOT NULL, 
	dataset_id INTEGER NOT NULL, 
	CONSTRAINT pk_quantum_input PRIMARY KEY (quantum_id, role), 
	CONSTRAINT fk_quantum_input_dataset_id_dataset FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_quantum_input_quantum_id_quantum FOREIGN KEY(quantum_id) REFERENCES quantum (id) ON DELETE RESTRICT
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "quantum_input" VALUES(1,'raw',6);
INSERT INTO "quantum_input" VALUES(2,'raw',7);
CREATE TABLE quantum_output (
	dataset_id INTEGER NOT NULL, 
	quantum_id INTEGER NOT NULL, 
	role TEXT NOT NULL, 
	CONSTRAINT pk_quantum_output PRIMARY KEY (dataset_id), 
	CONSTRAINT fk_quantum_output_dataset_id_dataset FOREIGN KEY(dataset_id) REFERENCES dataset (id) ON DELETE CASCADE, 
	CONSTRAINT fk_quantum_output_quantum_id_quantum FOREIGN KEY(quantum_id) REFERENCES quantum (id) ON DELETE RESTRICT
)
 STRICT

;
INSERT INTO "quantum_output" VALUES(8,1,'post_isr');
INSERT INTO "quantum_output" VALUES(9,1,'statistics');
CREATE TABLE readout_mode (
	id INTEGER NOT NULL, 
	canonical TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	CONSTRAINT pk_readout_mode PRIMARY KEY (id), 
	CONSTRAINT uq_readout_mode_sha256 UNIQUE (sha256)
)
 STRICT

;
INSERT INTO "readout_mode" VALUES(0,'','');
CREATE TABLE registry_event (
	seq INTEGER NOT NULL, 
	at_ns INTEGER NOT NULL, 
	actor TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	prev_hash TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	CONSTRAINT pk_registry_event PRIMARY KEY (seq), 
	CONSTRAINT uq_registry_event_hash UNIQUE (hash)
)
 STRICT

;
INSERT INTO "registry_event" VALUES(1,1795401056704641238,'ada@old','put','','{"dataset":"9b3ec072-75a0-57c6-92cf-73bc32e96212","source":"test","type":"bias"}','','fa03247702b3db5b00686f26077e7cecd0f1de9e00bbcc011c6b6cf0ef07a472');
INSERT INTO "registry_event" VALUES(2,1795401056747016717,'ada@old','put','','{"dataset":"16648f83-9646-5fc9-9ff5-c421589b12d7","source":"test","type":"bias"}','fa03247702b3db5b00686f26077e7cecd0f1de9e00bbcc011c6b6cf0ef07a472','e4873d78bc611354e89bb886b8a3733824c4c142047ed5e561e3c973f8925d1d');
INSERT INTO "registry_event" VALUES(3,1795401056828189512,'ada@old','certify','first light','{"added":4,"begin_ns":-4611686018427387904,"closed":0,"collection":"calibs","end_ns":4611686018427387904,"rows_sha256":"575451fe173e07cb9e614d8b8dcd2616f690e873be6d7a50d77a71c74dc43799"}','e4873d78bc611354e89bb886b8a3733824c4c142047ed5e561e3c973f8925d1d','060d532a88b1a075c37462b30a056430fafd2fc2acab569b0ad4b783e020d2ab');
INSERT INTO "registry_event" VALUES(4,1795401056918202650,'ada@old','certify','better','{"added":3,"begin_ns":1772409637000000000,"closed":1,"collection":"calibs","end_ns":1773014437000000000,"rows_sha256":"d022ae3e716c2e1160243278a9a9c07f7ba2c05deb6c1bc5e7bd078914ef6398"}','060d532a88b1a075c37462b30a056430fafd2fc2acab569b0ad4b783e020d2ab','09d86cb10ab81157d1fa2b4d0851d7f7c9b9bf6c0d437e9496c085bf0365a99a');
INSERT INTO "registry_event" VALUES(5,1795401056942991059,'ada@old','chain','','{"chain":"all","children":["best","calibs","raw/lupine"]}','09d86cb10ab81157d1fa2b4d0851d7f7c9b9bf6c0d437e9496c085bf0365a99a','cafc5a748cd378db6ac13bcd89ce6fde8374abd670ba28f93dbe6a3d743adf30');
CREATE TABLE run (
	collection_id INTEGER NOT NULL, 
	host TEXT NOT NULL, 
	flow_run TEXT NOT NULL, 
	started_ns INTEGER NOT NULL, 
	CONSTRAINT pk_run PRIMARY KEY (collection_id), 
	CONSTRAINT fk_run_collection_id_collection FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE RESTRICT
)
 STRICT

;
INSERT INTO "run" VALUES(1,'heimdall','',1795401056646098897);
INSERT INTO "run" VALUES(2,'heimdall','',1795401056647259104);
INSERT INTO "run" VALUES(3,'heimdall','',1795401056647791255);
INSERT INTO "run" VALUES(5,'heimdall','',1795401056850388224);
CREATE TABLE software_env (
	id INTEGER NOT NULL, 
	sha256 TEXT NOT NULL, 
	canonical TEXT NOT NULL, 
	CONSTRAINT pk_software_env PRIMARY KEY (id), 
	CONSTRAINT uq_software_env_sha256 UNIQUE (sha256)
)
 STRICT

;
INSERT INTO "software_env" VALUES(1,'b04d3b1408cefb0fcec673d4230a4987c523a222887367f488cc76ffdc4eb0db','{"numpy":"2"}');
CREATE INDEX ix_exposure_instrument_id_day_obs_seq_num ON exposure (instrument_id, day_obs, seq_num);
CREATE INDEX ix_exposure_instrument_id_mid_ns ON exposure (instrument_id, mid_ns);
CREATE INDEX ix_dataset_exposure_id_type_id_detector_id ON dataset (exposure_id, type_id, detector_id);
CREATE INDEX ix_quantum_calib_set_id_run_id ON quantum (calib_set_id, run_id);
CREATE INDEX ix_quantum_content_key ON quantum (content_key);
CREATE INDEX ix_quantum_state_run_id ON quantum (state, run_id);
CREATE INDEX ix_artifact_sha256 ON artifact (sha256);
CREATE UNIQUE INDEX uq_artifact_path ON artifact (path) WHERE in_place = 0;
CREATE INDEX ix_calib_validity_dataset_id ON calib_validity (dataset_id);
CREATE INDEX ix_calib_validity_lookup ON calib_validity (type_id, collection_id, instrument_id, detector_id, filter_id, mode_id, revoked_at, begin_ns, end_ns, certified_at, dataset_id);
CREATE INDEX ix_dataset_tag_dataset_id ON dataset_tag (dataset_id);
CREATE INDEX ix_quantum_input_dataset_id_quantum_id ON quantum_input (dataset_id, quantum_id);
CREATE INDEX ix_quantum_output_quantum_id ON quantum_output (quantum_id);
CREATE INDEX ix_calib_set_member_dataset_id_set_id ON calib_set_member (dataset_id, set_id);
CREATE TRIGGER calib_validity_enters_open BEFORE INSERT ON calib_validity BEGIN SELECT RAISE(ABORT, 'registry guard: append-only: a validity row must enter open, stamped with the newest event') WHERE NEW.revoked_at <> 4611686018427387904 OR NEW.certified_at IS NOT (SELECT max(seq) FROM registry_event) OR EXISTS (SELECT 1 FROM calib_validity AS v WHERE v.id = NEW.id); END;
CREATE TRIGGER calib_validity_does_not_overlap BEFORE INSERT ON calib_validity BEGIN SELECT RAISE(ABORT, 'registry guard: overlap: another calibration is valid in that range') WHERE coalesce((
    SELECT v.end_ns FROM calib_validity AS v
    WHERE v.collection_id = NEW.collection_id AND v.type_id = NEW.type_id AND v.instrument_id = NEW.instrument_id AND v.detector_id = NEW.detector_id AND v.filter_id = NEW.filter_id AND v.mode_id = NEW.mode_id AND v.revoked_at = 4611686018427387904 AND v.begin_ns < NEW.end_ns
    ORDER BY v.begin_ns DESC LIMIT 1), NEW.begin_ns) > NEW.begin_ns; END;
CREATE TRIGGER calib_validity_has_its_datasets_key BEFORE INSERT ON calib_validity BEGIN SELECT RAISE(ABORT, 'registry guard: key: a validity row has the key of its dataset, in a CALIBRATION collection') WHERE NOT EXISTS (
    SELECT 1 FROM dataset AS d WHERE d.id = NEW.dataset_id AND d.type_id = NEW.type_id
    AND d.instrument_id = NEW.instrument_id AND d.detector_id = NEW.detector_id AND d.filter_id = NEW.filter_id) OR (SELECT kind FROM collection WHERE id = NEW.collection_id) IS NOT 'CALIBRATION'; END;
CREATE TRIGGER calib_validity_is_only_revoked BEFORE UPDATE ON calib_validity BEGIN SELECT RAISE(ABORT, 'registry guard: append-only: of a validity row only revoked_at may be closed, once, with the newest event') WHERE OLD.revoked_at <> 4611686018427387904 OR NEW.revoked_at IS NOT (SELECT max(seq) FROM registry_event) OR NEW.id <> OLD.id OR NEW.collection_id <> OLD.collection_id OR NEW.type_id <> OLD.type_id OR NEW.instrument_id <> OLD.instrument_id OR NEW.detector_id <> OLD.detector_id OR NEW.filter_id <> OLD.filter_id OR NEW.mode_id <> OLD.mode_id OR NEW.begin_ns <> OLD.begin_ns OR NEW.end_ns <> OLD.end_ns OR NEW.dataset_id <> OLD.dataset_id OR NEW.certified_at <> OLD.certified_at; END;
CREATE TRIGGER calib_validity_stays BEFORE DELETE ON calib_validity BEGIN SELECT RAISE(ABORT, 'registry guard: append-only: validity rows are never deleted') WHERE 1; END;
CREATE TRIGGER registry_event_follows_the_last BEFORE INSERT ON registry_event BEGIN SELECT RAISE(ABORT, 'registry guard: append-only: an event must follow the last one') WHERE NEW.seq IS NOT coalesce((SELECT max(seq) FROM registry_event), 0) + 1 OR NEW.prev_hash IS NOT coalesce((SELECT hash FROM registry_event WHERE seq = (SELECT max(seq) FROM registry_event)), ''); END;
CREATE TRIGGER registry_event_does_not_change BEFORE UPDATE ON registry_event BEGIN SELECT RAISE(ABORT, 'registry guard: append-only: events are never changed') WHERE 1; END;
CREATE TRIGGER registry_event_stays BEFORE DELETE ON registry_event BEGIN SELECT RAISE(ABORT, 'registry guard: append-only: events are never deleted') WHERE 1; END;
CREATE TRIGGER dataset_enters_an_open_run BEFORE INSERT ON dataset BEGIN SELECT RAISE(ABORT, 'registry guard: frozen: datasets are only added to a RUN collection that is not frozen') WHERE (SELECT kind = 'RUN' AND frozen = 0 FROM collection WHERE id = NEW.run_id) IS NOT 1; END;
CREATE TRIGGER dataset_keeps_its_identity BEFORE UPDATE ON dataset BEGIN SELECT RAISE(ABORT, 'registry guard: identity: what a dataset is never changes') WHERE NEW.id <> OLD.id OR NEW.uuid <> OLD.uuid OR NEW.type_id <> OLD.type_id OR NEW.run_id <> OLD.run_id OR NEW.instrument_id <> OLD.instrument_id OR NEW.exposure_id <> OLD.exposure_id OR NEW.detector_id <> OLD.detector_id OR NEW.filter_id <> OLD.filter_id; END;
CREATE TRIGGER dataset_leaves_only_unpublished BEFORE DELETE ON dataset BEGIN SELECT RAISE(ABORT, 'registry guard: identity: a published dataset is never forgotten, only purged') WHERE OLD.status <> 'STAGED'; END;
CREATE TRIGGER collection_chain_has_no_cycle BEFORE INSERT ON collection_chain BEGIN SELECT RAISE(ABORT, 'registry guard: cycle: a chain cannot contain itself') WHERE NEW.parent_id IN (
    WITH RECURSIVE below(id) AS (
        SELECT NEW.child_id UNION SELECT c.child_id FROM collection_chain AS c JOIN below ON c.parent_id = below.id)
    SELECT id FROM below); END;
CREATE TRIGGER collection_chain_hangs_on_a_chain BEFORE INSERT ON collection_chain BEGIN SELECT RAISE(ABORT, 'registry guard: kind: only a CHAINED collection has children') WHERE (SELECT kind FROM collection WHERE id = NEW.parent_id) IS NOT 'CHAINED'; END;
CREATE TRIGGER collection_chain_is_rewritten BEFORE UPDATE ON collection_chain BEGIN SELECT RAISE(ABORT, 'registry guard: cycle: links are removed and added, not changed') WHERE 1; END;
COMMIT;
