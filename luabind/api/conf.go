package api

// settings are the options of app.configure and the fields of app.conf. Package app has them for the runtime; a test compares the two.
var settings = []Option{
	{Name: "id", Type: String, Default: "from the file's name", Text: "Name of the app, of its consumer group and the prefix of its internal topics."},
	{Name: "version", Type: Whole, Min: 1, Default: "1", Text: "Version of the app; a new one starts afresh."},
	{Name: "datadir", Type: String, Default: "'./.faust'", Text: "Where state is kept."},
	{Name: "broker", Type: String, Default: "'embedded:'", Text: "kafka://host:9092, kafka+tls://..., embedded:"},
	{Name: "broker_user", Type: String, Text: "SASL user, if not in the URL."},
	{Name: "broker_password", Type: String, Text: "SASL password, if not in the URL."},
	{Name: "broker_ca", Type: String, Text: "File of the certificate authority that signed the broker's certificate."},
	{Name: "broker_cert", Type: String, Text: "File of the client certificate."},
	{Name: "broker_key", Type: String, Text: "File of the client certificate's key."},
	{Name: "topic_partitions", Type: Whole, Min: 1, Max: 10000, Default: "8", Text: "Partitions of the topics that the app creates."},
	{Name: "replication_factor", Type: Whole, Default: "-1", Text: "Copies of the topics that the app creates; -1: the broker's default."},
	{Name: "processing_guarantee", Type: String, Choices: []string{"at_least_once", "exactly_once"}, Default: "'at_least_once'", Text: "at_least_once or exactly_once: see faust help deploying."},
	{Name: "commit_interval", Type: Duration, Default: "'1s'", Text: "Time between two commits."},
	{Name: "auto_offset_reset", Type: String, Choices: []string{"earliest", "latest"}, Default: "'earliest'", Text: "Where a new group starts: earliest or latest."},
	{Name: "session_timeout", Type: Duration, Default: "'10s'", Text: "How long a silent worker keeps its partitions."},
	{Name: "standby_replicas", Type: Whole, Default: "0", Text: "Copies of each table's partitions on other workers."},
	{Name: "max_message_bytes", Type: "size", Default: "'1MiB'", Text: "Largest message that is sent."},
	{Name: "compression", Type: String, Choices: []string{"auto", "none", "gzip", "snappy", "lz4", "zstd"}, Default: "'auto'", Text: "How messages are compressed; auto: snappy, and none to a broker on this machine."},
	{Name: "max_failures", Type: Whole, Min: 1, Default: "100", Text: "Failed events in a row that pause a partition."},
	{Name: "web_port", Type: Whole, Max: 65535, Default: "6066", Text: "Port of the web server; 0: any free one."},
	{Name: "web_bind", Type: String, Default: "'127.0.0.1'", Text: "Address the web server listens on."},
	{Name: "web_advertise", Type: String, Default: "from web_bind", Text: "Address at which other workers reach this one."},
	{Name: "web_token", Type: String, Text: "Token that is asked for below /_/ of the web port: of other machines, and of who acts on the worker."},
	{Name: "web_enabled", Type: Boolean, Default: "true", Text: "Whether there is a web server."},
	{Name: "loglevel", Type: String, Choices: []string{"debug", "info", "warn", "error"}, Default: "'warn'", Text: "What is logged: debug, info, warn, error."},
	{Name: "log_format", Type: String, Choices: []string{"auto", "text", "json", "logfmt"}, Default: "'auto'", Text: "How log lines look: auto, text, json, logfmt."},
	{Name: "logfile", Type: String, Text: "Log to this file, not to stderr."},
	{Name: "grace", Type: Duration, Default: "'20s'", Text: "Time that a stop may take."},
	{Name: "timezone", Type: String, Default: "'UTC'", Text: "Time zone of crontabs."},
	{Name: "strict", Type: Boolean, Default: "true", Text: "Undefined globals are errors."},
}

// confEntries are the fields of app.conf: one for each setting.
func confEntries() []Entry {
	entries := []Entry{{
		Name: "conf", Kind: Object,
		Text:    "The settings in force: what app.conf is.",
		Example: "print(app.conf.web_port)  --> 6066",
		See:     []string{"app.conf", "app.configure"},
	}}
	for _, s := range settings {
		kind := s.Type
		if kind == Duration || kind == "size" || kind == Whole {
			kind = Number
		}
		entries = append(entries, Entry{Name: "conf." + s.Name, Kind: Field, Type: kind, Text: s.Text, See: []string{"app.configure"}})
	}
	return entries
}
