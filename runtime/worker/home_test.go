package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"faust/runtime/app"
	"faust/runtime/control"
	"faust/runtime/table"
	"faust/runtime/web"
)

// served is summing with a page that is led to the worker of the partition in its path, as luabind does it, on a port.
func served(port int) (*app.App, *table.Definition) {
	a, t := summing()
	a.Settings.WebEnabled, a.Settings.WebBind, a.Settings.WebPort = true, "127.0.0.1", port
	a.Settings.WebToken = "t0k" // the virtual network is no loopback
	a.Pages = []*web.Page{{Name: "key", Pattern: "/{partition}/{key}/", Handle: func(_ context.Context, r *web.Request) (*web.Response, error) {
		var p int32
		if _, err := fmt.Sscan(r.Params["partition"], &p); err != nil {
			return nil, err
		}
		shard := a.Runtime().Shard(t, p)
		if shard == nil {
			url, err := a.Runtime().Home(t, p)
			if err != nil {
				return nil, web.Unavailable(err.Error())
			}
			return &web.Response{Forward: url}, nil
		}
		v, err := shard.Get(r.Params["key"], nil)
		if v == nil || err != nil {
			return nil, err
		}
		return &web.Response{Body: v.Append(nil)}, nil
	}}}
	return a, t
}

// at asks a web server of the virtual network.
func (w *world) at(port int, path string, headers ...string) (int, string, http.Header) {
	w.t.Helper()
	r, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return do(w.t, w.net, r)
}

func (w *world) onNet(c *Config) { c.Listen, c.Dial = w.net.Listen, w.net.DialContext }

func TestPagesGoToTheOwner(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a, def := served(6066)
		one := w.start(a, w.onNet).operational()
		b, other := served(6067)
		two := w.start(b, w.onNet).operational()
		w.produce("in", 4, 0, 200)
		w.settled("sums", 200)
		eventually(t, "both have a part", func() bool {
			return len(one.worker.current.Load().Shards(def)) == 2 && len(two.worker.current.Load().Shards(other)) == 2
		})
		for _, port := range []int{6066, 6067} {
			for key, want := range want(200) {
				p, name, _ := strings.Cut(key, " ")
				if code, text, _ := w.at(port, "/"+p+"/"+name+"/"); code != 200 || text != fmt.Sprint(want) {
					t.Errorf("port %d, %s: %d %s, not %d", port, key, code, text, want)
				}
			}
		}
		// what came from another worker goes no further
		refused := 0
		for p := range 4 {
			if code, _, h := w.at(6066, fmt.Sprintf("/%d/b%d/", p, p), "Faust-Forwarded: 1"); code == 503 && h.Get("Retry-After") == "1" {
				refused++
			}
		}
		if refused != 2 {
			t.Errorf("%d of 4 partitions are refused to a worker that is wrong about the owner", refused)
		}
		if strings.Contains(one.log.String()+two.log.String(), "will fail") {
			t.Error("workers of one machine are warned about")
		}
		two.crash()
		code, text, h := 200, "", http.Header(nil)
		for p := range 4 {
			if code, text, h = w.at(6066, fmt.Sprintf("/%d/b%d/", p, p)); code != 200 {
				break
			}
		}
		if code != 503 || h.Get("Retry-After") != "1" || !strings.Contains(text, "out of reach") {
			t.Errorf("while the owner is gone: %d %s", code, text)
		}
		for p := range 4 {
			eventually(t, "the other one takes over", func() bool { code, _, _ := w.at(6066, fmt.Sprintf("/%d/b%d/", p, p)); return code == 200 })
		}
		if err := one.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// What a worker advertises is told to the others; a mistake is told once.
func TestAdvertise(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a, _ := served(6066)
		one := w.start(a, w.onNet).operational()
		b, _ := served(6067)
		b.Settings.WebAdvertise = "worker-2:80"
		two := w.start(b, w.onNet).operational()
		c, _ := served(6068)
		c.Settings.WebAdvertise = "127.0.0.1:6066"
		three := w.start(c, w.onNet).operational()
		<-time.After(time.Minute)
		if g := two.worker.current.Load().group.Load(); fmt.Sprint(g.URLs()) != "[http://127.0.0.1:6066 http://worker-2:80]" && fmt.Sprint(g.URLs()) != "[http://worker-2:80 http://127.0.0.1:6066]" {
			t.Errorf("URLs %v", g.URLs())
		}
		if n := strings.Count(one.log.String(), "workers on other machines cannot reach this one"); n != 1 {
			t.Errorf("a worker on loopback is warned %d times", n)
		}
		if strings.Contains(two.log.String(), "will fail") {
			t.Error("a worker that others reach is warned about")
		}
		for _, r := range []*running{one, two, three} {
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
		}
		d, _ := served(6066)
		four := w.start(d, w.onNet).operational()
		e, _ := served(6067)
		e.Settings.WebAdvertise = "http://127.0.0.1:6066/"
		five := w.start(e, w.onNet).operational()
		<-time.After(time.Minute)
		if !strings.Contains(four.log.String()+five.log.String(), "another worker advertises the address of this one") {
			t.Error("two workers with one address are not warned about")
		}
		for _, r := range []*running{four, five} {
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestOwnAddress(t *testing.T) {
	t.Parallel()
	if got := ownAddress(t.Context(), []string{"127.0.0.1:9092"}); got != "127.0.0.1" {
		t.Errorf("towards loopback it is %s", got)
	}
	if got := ownAddress(t.Context(), nil); got == "" || net.ParseIP(got) != nil && net.ParseIP(got).IsUnspecified() {
		t.Errorf("without a broker it is %q", got)
	}
	for url, want := range map[string]bool{"http://127.0.0.1:1": true, "http://[::1]:1": true, "http://localhost:1": true, "http://10.0.0.1:1": false, "": false} {
		if loopback(url) != want {
			t.Errorf("loopback(%s) is %v", url, !want)
		}
	}
}

// Each worker tells what it has, and where the rest is.
func TestTablesAreLookedInto(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		a, def := served(6066)
		a.Tables = append(a.Tables, &table.Definition{Name: "unused"})
		one := w.start(a, w.onNet).operational()
		b, other := served(6067)
		b.Tables = append(b.Tables, &table.Definition{Name: "unused"})
		two := w.start(b, w.onNet).operational()
		w.produce("in", 4, 0, 200)
		w.settled("sums", 200)
		panels := []control.Worker{one.worker.Control(), two.worker.Control()}
		eventually(t, "both have a part", func() bool {
			return len(one.worker.current.Load().Shards(def)) == 2 && len(two.worker.current.Load().Shards(other)) == 2
		})
		here := 0
		for i, p := range panels {
			tables := p.Tables()
			if len(tables.Tables) != 2 || tables.Tables[0].Name != "totals" || len(tables.Tables[0].Partitions) != 4 || len(tables.Tables[1].Partitions) != 0 {
				t.Fatalf("%+v", tables)
			}
			url := fmt.Sprintf("http://127.0.0.1:%d", 6067-i)
			for n, s := range tables.Tables[0].Partitions {
				if s.Partition != int32(n) || s.Keys != -1 || s.Here != (s.URL == "") || !s.Here && s.URL != url || s.Problem != "" {
					t.Errorf("worker %d: %+v", i, s)
				}
				got := map[string]int{}
				for from, more := []byte(nil), true; more; {
					slice, err := p.Slice(control.Slicing{Table: "totals", Partition: s.Partition, From: from, Limit: 2})
					if err != nil || slice.Here != s.Here || slice.URL != s.URL || len(slice.Pairs) > 2 {
						t.Fatalf("%v %+v", err, slice)
					}
					for _, pair := range slice.Pairs {
						v, _ := strconv.Atoi(string(pair.Value))
						got[fmt.Sprint(s.Partition, " ", string(pair.Key))] = v
					}
					from, more = slice.Next, slice.Next != nil
				}
				if s.Here {
					here++
					all := want(200)
					maps.DeleteFunc(all, func(k string, _ int) bool { return !strings.HasPrefix(k, fmt.Sprint(n, " ")) })
					same(t, "keys", got, all)
				}
			}
			slice, err := p.Slice(control.Slicing{Table: "totals", Prefix: []byte("b1")})
			if err != nil || slice.Here && len(slice.Pairs) != 0 {
				t.Errorf("prefix: %v %+v", err, slice)
			}
			if found, err := p.Get("unused", []byte("x")); err != nil || found.Here || found.Problem != "no agent writes it" {
				t.Errorf("%v %+v", err, found)
			}
			if _, err := p.Get("nothing", nil); !errors.Is(err, control.ErrUnknown) {
				t.Error(err)
			}
			key := []byte("somewhere")
			found, err := p.Get("totals", key)
			if id := def.Hash.Partition(key, 4); err != nil || found.Found || found.Partition != id || found.Here != tables.Tables[0].Partitions[id].Here {
				t.Errorf("%v %+v", err, found)
			}
		}
		if here != 4 {
			t.Errorf("%d partitions are here or there", here)
		}
		for _, r := range []*running{one, two} {
			run := r.worker.current.Load()
			got, err := everywhere(run, run.app.Tables[0])
			if err != nil {
				t.Fatal(err)
			}
			all := map[string]int{}
			for k, n := range want(200) {
				_, key, _ := strings.Cut(k, " ")
				all[key] += n
			}
			same(t, "everywhere", got, all)
			if got, err := everywhere(run, run.app.Tables[1]); err != nil || len(got) != 0 {
				t.Errorf("a table that nobody writes: %v %v", got, err)
			}
		}
		two.crash()
		if got, err := everywhere(one.worker.current.Load(), def); err == nil || !strings.Contains(err.Error(), "of table totals: worker at http://127.0.0.1:6067") {
			t.Errorf("without one of the workers: %v %v", got, err)
		}
		if err := one.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// everywhere adds up what all workers have, by key.
func everywhere(r *run, t *table.Definition) (map[string]int, error) {
	walk, err := r.Everywhere(r.soft, t)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for {
		pairs, err := walk(r.soft)
		if err != nil || len(pairs) == 0 {
			return out, err
		}
		for _, p := range pairs {
			n, err := strconv.Atoi(string(p.Value.Append(nil)))
			if err != nil {
				return nil, err
			}
			out[p.Key] += n
		}
	}
}
