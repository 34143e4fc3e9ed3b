package luabind_test

import (
	"strings"
	"testing"

	"faust/luabind"
)

// TestGroupBy: what is in a topic is sent on under another key, bytes and all; what has none goes to dead letters.
func TestGroupBy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src, agent string
		in         []string
		want       []string
		failed     string
	}{
		"a field of a record": {
			`local Order = app.record('Order', { country = 'string?', n = 'int' })
			app.agent('sum', app.topic('orders', { value = Order }):group_by('country'), function(stream) end)`,
			"orders-by-country",
			[]string{`{"country":"NO", "n":1, "more":[]}`, `{"n":2}`, `{"country":"SE","n":3}`},
			[]string{`app-orders-by-country-repartition NO={"country":"NO", "n":1, "more":[]}`, `app-orders-by-country-dead-letter k1={"n":2}`, `app-orders-by-country-repartition SE={"country":"SE","n":3}`},
			"orders:group_by('country'): the message has no key there: it is nil",
		},
		"a number": {
			`local Order = app.record('Order', { id = 'int' })
			app.agent('sum', app.topic('orders', { value = Order }):group_by('id'), function(stream) end)`,
			"orders-by-id", []string{`{"id":42}`, `{"id":"x"}`},
			[]string{`app-orders-by-id-repartition 42={"id":42}`, `app-orders-by-id-dead-letter k1={"id":"x"}`}, "not an Order: 'id' is",
		},
		"untyped": {
			`app.agent('sum', app.topic('orders'):group_by('country'), function(stream) end)`,
			"orders-by-country", []string{`{"country":"NO"}`, `5`, `{"country":5}`},
			[]string{`app-orders-by-country-repartition NO={"country":"NO"}`, `app-orders-by-country-dead-letter k1=5`, `app-orders-by-country-dead-letter k2={"country":5}`},
			"orders:group_by('country'): the key cannot be written: the number 5 is no string",
		},
		"a function": {
			`app.agent('sum', app.topic('orders'):group_by('first', function(v) return v.name:sub(1, 1) end), function(stream) end)`,
			"orders-by-first", []string{`{"name":"abc"}`, `{}`},
			[]string{`app-orders-by-first-repartition a={"name":"abc"}`, `app-orders-by-first-dead-letter k1={}`}, "v.name is nil",
		},
		"a chain": {
			`app.agent('sum', app.topic('orders'):group_by('country'):group_by('city'), function(stream) end)`,
			"orders-by-country-by-city", []string{`{"country":"NO","city":"Oslo"}`},
			[]string{`app-orders-by-country-by-city-repartition Oslo={"country":"NO","city":"Oslo"}`}, "",
		},
		"keys as JSON": {
			`app.agent('sum', app.topic('orders'):group_by('pair', { key = 'json' }, function(v) return { v.a, v.b } end), function(stream) end)`,
			"orders-by-pair", []string{`{"a":1,"b":2}`}, []string{`app-orders-by-pair-repartition [1,2]={"a":1,"b":2}`}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := loadWith(t, c.src, luabind.Config{})
			lines(t, s, c.agent, len(c.want), json(c.in...)...)
			equal(t, "settled", s.settledValues(), c.want...)
			if c.failed == "" && len(s.failed) > 0 || c.failed != "" && !strings.Contains(strings.Join(s.failed, "\n"), c.failed) {
				t.Errorf("failed %q, want %q", s.failed, c.failed)
			}
		})
	}
}

// The graph is known once the script is loaded: who reads what, and which topics are only passed through.
func TestGroupByDeclares(t *testing.T) {
	t.Parallel()
	s := loadWith(t, `
		local orders = app.topic('orders', { partitions = 3 })
		local by = orders:group_by('country', { partitions = 5 })
		local t = app.table('t', { default = 0 })
		app.agent('one', by, function(stream) for o in stream do t:add(o.country, 1) end end)
		app.agent('two', orders:group_by('country'), function(stream) for o in stream do t:add(o.country, 1) end end)
	`, luabind.Config{})
	var got []string
	for _, d := range s.App.Agents {
		for _, in := range d.Topics {
			got = append(got, d.Name+" "+in.Name)
			if in.Passing != strings.HasSuffix(in.Name, "-repartition") || in.Passing && (in.Retention != -1 || in.Partitions != 5 || !in.Internal) {
				t.Errorf("%+v", in)
			}
		}
	}
	equal(t, "agents", got, "orders-by-country orders", "one app-orders-by-country-repartition", "two app-orders-by-country-repartition")
	if d := s.App.Tables[0]; strings.Join(d.Sources, " ") != "app-orders-by-country-repartition" {
		t.Errorf("the table is made of %q", d.Sources)
	}
}
