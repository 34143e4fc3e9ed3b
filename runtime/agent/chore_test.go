package agent

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"faust/runtime/topic"
)

// tasks gives one chore, and remembers what becomes of it.
type tasks struct {
	mu     sync.Mutex
	given  bool
	became []string
}

func (k *tasks) Due() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.given
}

func (k *tasks) Claim() (Chore, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.given = true
	return k, nil
}

func (k *tasks) is(what string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.became = append(k.became, what)
}

func (k *tasks) Record() topic.Record { return topic.Record{Key: []byte("k")} }
func (k *tasks) Done()                { k.is("done") }
func (k *tasks) Drop()                { k.is("dropped") }
func (k *tasks) Failed() (again bool, attempt int) {
	k.is("failed")
	return false, 1
}

// ailing is Trouble.
type ailing struct{ error }

func (ailing) Trouble() {}

// What the app runs on is not the chore's fault: it is not given up, and the processor ends.
func TestTroubleOfAChore(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(s *Stream, e *Event) error{
		"the body ends":    func(_ *Stream, _ *Event) error { return ailing{errors.New("no disk")} },
		"the body goes on": func(s *Stream, e *Event) error { return s.Reject(s.ctx, e, ailing{errors.New("no disk")}) },
	} {
		bubble(t, name, func(t *testing.T) {
			k := &tasks{}
			r := start(t, &Definition{Body: each(fails)}, func(cfg *ProcessorConfig) { cfg.Chores = k })
			synctest.Wait()
			select {
			case err := <-r.done:
				if err == nil || err.Error() != "agent orders: no disk" {
					t.Error(err)
				}
			default:
				t.Error("the processor goes on")
			}
			if !slices.Equal(k.became, []string{"dropped"}) {
				t.Errorf("the chore %v", k.became)
			}
		})
	}
}
