package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"faust/tests/drive"
)

// frame is a script with one of everything; LOAD and BODY are where a misspelt name is put.
const frame = `
app.configure { id = 'x' %s }
local Withdrawal = app.record('Withdrawal', { user = 'string', country = 'string', amount = 'float' })
local withdrawals = app.topic('withdrawals', { value = Withdrawal })
local track = app.agent('track_countries', withdrawals, function(stream) for w in stream do print(w.amount) end end)
local total_amount = 0
%s
app.command('produce', { app.option('--max-messages', { type = 'int' }), app.option('--colour', { choices = { 'green', 'purple' } }) }, function(options)
  local counter = 1
  %s
end)
`

// misspelt are names as people get them wrong, and what was meant. Where: configure, load, body, or the words of a command line.
var misspelt = []struct{ where, wrong, meant string }{
	{"load", "app.tpoic('x')", "topic"},
	{"load", "app.topics_('x')", "topics"},
	{"load", "app.agnet(withdrawals, function(s) end)", "agent"},
	{"load", "app.recrod('X', {})", "record"},
	{"load", "app.timmer(1, function() end)", "timer"},
	{"load", "app.cronttab('* * * * *', function() end)", "crontab"},
	{"load", "app.paeg('/', function() end)", "page"},
	{"load", "app.comand('x', function() end)", "command"},
	{"load", "app.taks(function() end)", "task"},
	{"load", "app.chanel()", "channel"},
	{"load", "app.confgure {}", "configure"},
	{"load", "app.Topic('x')", "topic"},
	{"load", "app.mian()", "main"},
	{"configure", ", topic_partition = 4", "topic_partitions"},
	{"configure", ", web_prot = 80", "web_port"},
	{"configure", ", brokers = 'x'", "broker"},
	{"configure", ", commit_intervall = 1", "commit_interval"},
	{"configure", ", verison = 1", "version"},
	{"configure", ", data_dir = 'x'", "datadir"},
	{"configure", ", timezoen = 'UTC'", "timezone"},
	{"configure", ", max_failure = 3", "max_failures"},
	{"load", "app.topic('x', { partition = 3 })", "partitions"},
	{"load", "app.topic('x', { retentoin = '7d' })", "retention"},
	{"load", "app.topic('x', { vlaue = 'json' })", "value"},
	{"load", "app.topic('x', { compacted = true })", "compact"},
	{"load", "app.topic('x', { value = 'strign' })", "string"},
	{"load", "app.topic('x', { value = 'jsno' })", "json"},
	{"load", "app.agent('a', withdrawals, { concurency = 2 }, function(s) end)", "concurrency"},
	{"load", "app.agent('a', withdrawals, { on_eror = 'skip' }, function(s) end)", "on_error"},
	{"load", "app.agent('a', withdrawals, { on_error = 'deadletter' }, function(s) end)", "dead_letter"},
	{"load", "app.agent('a', withdrawals, { on_error = 'skipp' }, function(s) end)", "skip"},
	{"load", "app.agent('a', withdrawals, { sink = {} }, function(s) end)", "sinks"},
	{"load", "app.task({ on_laeder = true }, function() end)", "on_leader"},
	{"load", "app.timer(1, { nmae = 'x' }, function() end)", "name"},
	{"load", "app.crontab('* * * * *', { zt = 'UTC' }, function() end)", "tz"},
	{"load", "app.on('partition_revoked', function() end)", "partitions_revoked"},
	{"load", "app.on('produce_eror', function() end)", "produce_error"},
	{"load", "app.record('Y', { a = 'flaot' })", "float"},
	{"load", "app.record('Y', { a = 'integer' })", "int"},
	{"load", "app.record('Y', { a = 'Withdrawl' })", "Withdrawal"},
	{"load", "app.record('Y', { a = { type = 'int', defualt = 1 } })", "default"},
	{"load", "Withdrawal { usr = 'u', country = 'c', amount = 1 }", "user"},
	{"load", "Withdrawal { user = 'u', contry = 'c', amount = 1 }", "country"},
	{"load", "print(withdrawls)", "withdrawals"},
	{"load", "print(Withdrawl)", "Withdrawal"},
	{"load", "pirnt('x')", "print"},
	{"load", "require 'jsn'", "json"},
	{"body", "withdrawals:sned { value = {} }", "send"},
	{"body", "withdrawals:send { vale = {} }", "value"},
	{"body", "withdrawals:send { header = {}, value = {} }", "headers"},
	{"body", "print(withdrawalss)", "withdrawals"},
	{"body", "print(total_amuont)", "total_amount"},
	{"body", "print(cuonter)", "counter"},
	{"body", "print(string.formatt('%d', 1))", "format"},
	{"body", "print(math.flor(1.5))", "floor"},
	{"body", "table.isnert({}, 1)", "insert"},
	{"body", "json.encod({})", "encode"},
	{"body", "time.slep(1)", "sleep"},
	{"body", "random.itn(1, 2)", "int"},
	{"body", "uuid.nwe()", "new"},
	{"body", "track:aks(1)", "ask"},
	{"body", "print(options.max_mesages)", "max_messages"},
	{"body", "print(app.topics.withdrawls)", "withdrawals"},
	{"body", "print(app.agents.track_country)", "track_countries"},
	{"body", "print(app.conf.broekr)", "broker"},
	{"body", "print(Withdrawal { user = 'u', country = 'c', amount = 1 }.amuont)", "amount"},
	{"words", "prodcue", "produce"},
	{"words", "workr", "worker"},
	{"words", "versoin", "version"},
	{"words", "produce --max-mesages 3", "--max-messages"},
	{"words", "produce --colour grene", "green"},
	{"words", "worker --web-prot 80", "--web-port"},
	{"words", "worker --loglevle info", "--loglevel"},
	{"words", "worker -l inof", "info"},
	{"words", "worker --log-format jsno", "json"},
}

// Every misspelt name gets the right suggestion.
func TestSuggestions(t *testing.T) {
	t.Parallel()
	for i, m := range misspelt {
		t.Run(fmt.Sprintf("%02d_%s", i, m.meant), func(t *testing.T) {
			t.Parallel()
			parts := map[string]string{m.where: m.wrong}
			dir := t.TempDir()
			src := fmt.Sprintf(frame, parts["configure"], parts["load"], parts["body"])
			if err := os.WriteFile(filepath.Join(dir, "app.lua"), []byte(src), 0o644); err != nil {
				t.Fatal(err)
			}
			args := []string{"produce"}
			if m.where == "words" {
				args = strings.Fields(m.wrong)
			}
			p := drive.Start(t, dir, nil, append([]string{"run", "app.lua"}, args...)...)
			if code := p.Exit(drive.Patience); code == 0 {
				t.Errorf("it succeeded")
			}
			meant := regexp.MustCompile(`did you mean '([\w.]+[.:])?` + m.meant + `'`)
			if got := p.Output(); !meant.MatchString(got) {
				t.Errorf("no suggestion of %q in:\n%s", m.meant, got)
			}
		})
	}
}
