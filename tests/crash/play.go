package crash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"faust/runtime/worker"
	"faust/tests/drive"
	"faust/tests/seed"
)

// Broker is what a trial runs on, and what can happen to it.
type Broker struct {
	Address string
	Session time.Duration // of the workers; what the broker allows
	Kill    func()        // ends it by SIGKILL; nil: that is not survived, or not possible
	Stop    func()        // stops it in order; nil: likewise
	Start   func()        // starts it again
}

// Trials kills, stops, hangs, adds and removes workers, and restarts the broker, by plans that seeds stand for, while events come in. After each plan an independent reader compares
// what the topics hold with the events. fresh makes an id that nothing on the broker has yet.
func Trials(t *testing.T, guarantee string, b Broker, fresh func(string) string) {
	base, left := seed.Of(t), *roundsFlag
	if left == 0 {
		left = shortRounds
		if testing.Short() {
			left /= 2
		}
	}
	for i := base; left > 0; i++ {
		n := min(left, planRounds)
		left -= n
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			seed.Again(t, i, fmt.Sprint("-rounds ", n))
			play(t, guarantee, b, fresh("crash"), i, n)
		})
	}
}

// trial is one plan being carried out.
type trial struct {
	*Cluster
	guarantee string
	form      []string // of the agents: what the script asks for
	broker    Broker
	program   string
	stranger  *stranger
	producer  *producer
	workers   map[string]*victim
}

// form is what the app is like: one actor per partition or several, one event at a time or many, with standbys or without.
func form(seed uint64) []string {
	return []string{
		fmt.Sprint("ACTORS=", []int{1, 3}[seed%2]), "BATCHES=" + []string{"no", "yes"}[seed/2%2], fmt.Sprint("STANDBYS=", []int{0, 1}[seed/4%2]),
	}
}

// victim is a worker to which things happen.
type victim struct {
	*drive.Process
	name  string
	port  int
	hung  time.Time // since when; zero: it does not hang
	away  bool      // it is to be started again
	older string    // an older copy of its data directory; "": none
}

func play(t *testing.T, guarantee string, b Broker, id string, seed uint64, n int) {
	var outages []deed
	if b.Kill != nil {
		outages = append(outages, breakDown)
	}
	if b.Stop != nil {
		outages = append(outages, restart)
	}
	moments := worker.Moments()
	if guarantee == exactlyOnce {
		moments = worker.ExactMoments()
	}
	c := New(t, b.Address, id)
	if err := os.WriteFile(filepath.Join(c.dir, "app.lua"), []byte(ledger), 0o644); err != nil {
		t.Fatal(err)
	}
	p := &trial{
		Cluster: c, guarantee: guarantee, form: form(seed), broker: b, program: drive.Program(t, "./tests/crash/victim"),
		stranger: newStranger(t, b.Address), workers: map[string]*victim{},
	}
	defer p.dump()
	p.begin("a").WaitFor("READY")
	p.begin("b").WaitFor("READY")
	p.producer = produce(t, b.Address, id+"-events", seed)
	for i, r := range draw(seed, n, outages, moments) {
		start := time.Now()
		p.round(r)
		t.Logf("round %d took %s: %s; %d events so far", i+1, time.Since(start).Round(time.Millisecond), r, p.producer.sent())
	}
	p.settle()
	p.producer.end()
	drive.Until(t, "all is processed and committed", func() (bool, string) {
		p.alive()
		left := p.stranger.behind(id, id+"-events", id+"-"+id+"-events-by-group-repartition")
		return left == "", left
	})
	p.compare()
	p.stranger.forget(id)
}

// dump lets the workers of a trial that failed say where they stand.
func (p *trial) dump() {
	if !p.t.Failed() {
		return
	}
	for _, v := range p.workers {
		v.Signal(syscall.SIGUSR1)
		for tries := 0; tries < 50 && !strings.Contains(v.Output(), "sends not stored:"); tries++ {
			<-time.After(100 * time.Millisecond)
		}
	}
}

// begin starts a worker, again with the data directory it had.
func (p *trial) begin(name string) *victim {
	p.t.Helper()
	v := p.workers[name]
	if v == nil {
		v = &victim{name: name, port: drive.Port(p.t)}
		p.workers[name] = v
	}
	v.away, v.hung = false, time.Time{}
	_ = os.Remove(p.order(name))
	v.Process = drive.StartProgram(p.t, p.program, p.dir, append(p.env(), "VICTIM_ORDER="+p.order(name)),
		p.args(name, "worker", "--web-port", fmt.Sprint(v.port), "-l", "info")...)
	return v
}

// env is what the script asks for.
func (p *trial) env() []string {
	return append(slices.Clone(p.form), "APP_ID="+p.id, "GUARANTEE="+p.guarantee, "SESSION="+p.broker.Session.String())
}

// order is the file by which a worker is told to die or to hang.
func (p *trial) order(name string) string { return filepath.Join(p.dir, "order-"+name) }

// round carries out one round.
func (p *trial) round(r round) {
	p.t.Helper()
	for _, a := range r.acts {
		<-time.After(a.after)
		p.alive()
		p.act(a)
		p.alive()
	}
	p.resume(p.broker.Session + r.hangs)
	if r.settle {
		p.settle()
	}
	p.alive()
}

// act carries out one act.
func (p *trial) act(a act) {
	p.t.Helper()
	v := p.workers[a.name]
	switch a.deed {
	case kill:
		v.Kill()
	case die:
		p.obey(v, "kill "+string(a.moment))
		v.Exit(drive.Patience)
	case stall:
		v.Signal(syscall.SIGSTOP)
		v.hung = time.Now()
		return
	case hang:
		p.obey(v, "hang "+string(a.moment))
		v.hung = time.Now()
		return
	case stop, remove:
		p.stop(v)
	case lose, wipe, rewind:
		v.Kill()
	case killAll:
		for _, v := range p.workers {
			v.Kill()
		}
		for name := range p.workers {
			p.begin(name)
		}
		return
	case add:
		p.begin(a.name)
		return
	case breakDown:
		p.broker.Kill()
		p.broker.Start()
		return
	case restart:
		p.broker.Stop()
		p.broker.Start()
		return
	}
	p.after(a, v)
}

// after starts a worker again that has ended, unless it is not wanted any more.
func (p *trial) after(a act, v *victim) {
	p.t.Helper()
	data := p.data(v.name)
	switch a.deed {
	case remove, lose:
		delete(p.workers, v.name)
		return
	case wipe:
		p.must(os.RemoveAll(data))
	case rewind:
		if v.older != "" {
			p.must(os.RemoveAll(data))
			p.must(os.Rename(v.older, data))
			v.older = ""
		}
	default:
		if v.older == "" {
			v.older = data + "-older"
			p.must(duplicate(data, v.older))
		}
	}
	if v.away = a.away; !v.away {
		p.begin(v.name)
	}
}

func (p *trial) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// duplicate copies the files of a folder.
func duplicate(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, rest); {
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type().IsRegular():
			text, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(target, text, 0o644))
		}
		return nil // a socket
	})
}

// obey gives a worker an order and waits until it carries it out.
func (p *trial) obey(v *victim, order string) {
	p.t.Helper()
	path := p.order(v.name)
	give := func() {
		p.must(os.WriteFile(path+"-new", []byte(order), 0o644))
		p.must(os.Rename(path+"-new", path))
	}
	give()
	drive.Until(p.t, v.name+" obeys: "+order, func() (bool, string) {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return true, ""
		}
		if _, ended := v.Ended(); ended {
			p.alive()
			give()
		}
		return false, "it does not"
	})
}

// stop stops a worker as an orchestrator does.
func (p *trial) stop(v *victim) {
	p.t.Helper()
	v.Signal(syscall.SIGTERM)
	if code := v.Exit(drive.Patience); code != 0 && v.ready() {
		p.t.Errorf("worker %s: exit code %d after SIGTERM", v.name, code)
	}
}

// ready tells whether the worker has been.
func (v *victim) ready() bool { return strings.Contains(v.Output(), "READY") }

// alive checks that no worker ended by itself. One that finds no broker when it starts may, or a broker that is too busy, and is started again, as an orchestrator does.
func (p *trial) alive() {
	p.t.Helper()
	const unreachable = 4
	for _, v := range p.workers {
		code, ended := v.Ended()
		switch {
		case !ended || v.away:
		case code == unreachable && !v.ready():
			p.t.Logf("worker %s found no broker, it is started again", v.name)
			p.begin(v.name)
		default:
			p.t.Fatalf("worker %s ended by itself, exit code %d", v.name, code)
		}
	}
}

// resume lets those go on that hang, once they did so for long enough, and starts those that are away.
func (p *trial) resume(hangs time.Duration) {
	p.t.Helper()
	for _, v := range p.workers {
		if !v.hung.IsZero() {
			<-time.After(time.Until(v.hung.Add(hangs)))
			v.Signal(syscall.SIGCONT)
			v.hung = time.Time{}
		}
	}
	for name, v := range p.workers {
		if v.away {
			p.begin(name)
		}
	}
}

// settle waits until what was sent so far is committed.
func (p *trial) settle() {
	p.t.Helper()
	source := p.id + "-events"
	var ends map[int32]span
	drive.Until(p.t, "what was sent is committed", func() (bool, string) {
		p.alive()
		if ends == nil {
			spans, err := p.stranger.spans(p.t.Context(), source)
			if err != nil {
				return false, err.Error()
			}
			ends = spans[source]
		}
		at, err := p.stranger.committed(p.id, source)
		for id, sp := range ends {
			if at[id] < sp.end {
				return false, fmt.Sprintf("partition %d: committed %d of %d; %v", id, at[id], sp.end, err)
			}
		}
		return err == nil, fmt.Sprint(err)
	})
}

// names are those of the workers, in order.
func (p *trial) names() (list []string) {
	for name := range p.workers {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
