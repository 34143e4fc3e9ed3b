package kafka

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"faust/tests/drive"
)

const payments = `
app.configure { id = 'ID' }
local Payment = app.record('Payment', { account = 'string', amount = 'float' })
local payments = app.topic('ID-payments', { value = Payment, partitions = 2 })
app.agent('ledger', payments, function(stream)
  for p in stream do
    if p.account == 'closed' then BUG end
    stream:yield { booked = p.amount }
  end
end)
app.agent('audit', payments, function(stream) for p in stream do print('audited ' .. p.amount) end end)
`

// Messages are sent, asked and looked at; those that a bug made fail go through once the script is mended.
func TestDoing(t *testing.T) {
	real(t)
	t.Parallel()
	dir, id := t.TempDir(), fresh("doing")
	script := func(bug string) {
		write(t, filepath.Join(dir, "app.lua"), strings.NewReplacer("ID", id, "BUG", bug).Replace(payments))
	}
	run := func(args ...string) string {
		t.Helper()
		return drive.Run(t, dir, nil, append([]string{"run", "app.lua", "--broker", "kafka://" + kafka.plain}, args...)...)
	}
	worker := func() *drive.Process {
		w := drive.Start(t, dir, []string{"FAUST_SESSION_TIMEOUT=2m"}, "run", "app.lua", "--broker", "kafka://"+kafka.plain, "worker", "-p", "0", "-l", "info")
		w.WaitFor("worker ready")
		return w
	}
	has := func(what, text string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(text, p) {
				t.Errorf("%s has no %q:\n%s", what, p, text)
			}
		}
	}
	script("error('a bug')")
	has("send", run("send", id+"-payments", `{"account":"open","amount":1}`, "--key", "a", "--header", "h=x"), id+"-payments/")
	w := worker()
	has("ask", run("ask", "@ledger", `{"account":"open","amount":2}`), `{"booked":2}`)
	var lines strings.Builder
	for range 5 {
		lines.WriteString(`{"account":"closed","amount":3}` + "\n")
	}
	write(t, filepath.Join(dir, "closed.jsonl"), lines.String())
	has("send", run("send", "@ledger", "--file", "closed.jsonl", "--key", "c"), "5 messages sent to "+id+"-payments")
	has("tail", run("tail", id+"-ledger-dead-letter", "--from", "start", "-n", "5", "--follow"), `"faust-error":"app.lua:7: a bug"`)
	all := run("tail", "@audit", "--from", "start", "--no-follow", "--where", "value.amount < 2")
	has("tail", all, `"key":"a","value":{"account":"open","amount":1},"headers":{"h":"x"}}`, "7 messages read, 1 shown")
	list := run("dlq")
	has("dlq", list, "5  ledger", "app.lua:7: a bug", `"c"`)
	if strings.Contains(list, "audit") {
		t.Errorf("the audit has dead letters:\n%s", list)
	}
	has("dlq show", run("dlq", "show", "2"), "a bug", `Payment{ account="closed", amount=3 }`)
	for range 5 {
		w.WaitFor("audited 3")
	}
	w.Interrupt()
	first := w.Output()
	script("print('refused ' .. p.amount)")
	w = worker()
	has("dlq replay", run("dlq", "replay", "1"), "sent back as "+id+"-payments/")
	has("dlq replay", run("dlq", "replay", "--all"), "4 messages sent back")
	for range 5 {
		w.WaitFor("refused 3")
	}
	has("dlq", run("dlq"), "no dead letters")
	run("send", "@audit", `{"account":"open","amount":9}`, "--key", "c")
	w.WaitFor("audited 9")
	if again := w.Output(); strings.Count(first, "audited 3") != 5 || strings.Contains(again, "audited 3") {
		t.Errorf("the other agent saw messages twice:\n%s\n%s", first, again)
	}
	// Dropped ones are gone from the broker as well.
	script("error('another bug')")
	w.Interrupt()
	w = worker()
	run("send", "@ledger", "--file", "closed.jsonl", "--key", "c") // to the partition of the earlier ones
	has("tail", run("tail", id+"-ledger-dead-letter", "--from", "start", "-n", "10", "--follow"), "another bug")
	has("dlq drop", run("dlq", "drop", "--all", "--yes"), "5 dead letters dropped")
	if left := run("tail", id+"-ledger-dead-letter", "--from", "start", "--no-follow"); left != "" {
		t.Errorf("still there: %s", left)
	}
	w.Interrupt()
	if _, err := os.Stat(filepath.Join(dir, ".faust", "broker.json")); err == nil {
		t.Error("an embedded broker was started")
	}
}
