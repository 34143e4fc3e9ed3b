package luabind_test

import (
	"strings"
	"testing"

	"faust/luabind"
)

// An agent of several topics reads each, and its table belongs to the partitions of all.
func TestMerge(t *testing.T) {
	t.Parallel()
	s := loadWith(t, `
		local Order = app.record('Order', { id = 'string' })
		local web, shop = app.topic('web', { value = Order, partitions = 3 }), app.topic('shop', { value = Order, partitions = 3 })
		local seen, out = app.table('seen', { default = 0 }), app.topic('out')
		all = app.agent('all', app.merge(web, shop), function(stream)
			for k, order in stream:items() do seen:add(k, 1) out:send { value = order.id } end
		end)
		app.task(function() print(select(2, pcall(all.cast, all, 1))) end)
	`, luabind.Config{})
	d := s.App.Agents[0]
	if len(d.Topics) != 2 || d.Topics[0].Name != "web" || d.Topics[1].Name != "shop" {
		t.Errorf("it reads %+v", d.Topics)
	}
	equal(t, "sources", s.App.Tables[0].Sources, "web", "shop")
	lines(t, s, "all", 2, json(`{"id":"1"}`, `{"id":"2"}`)...)
	equal(t, "settled", s.settledValues(), `out ="1"`, `out ="2"`)
	if err := s.App.Tasks[0].Run(t.Context()); err != nil {
		t.Fatal(render(err))
	}
	if got := s.out.String(); !strings.Contains(got, "agent:cast: agent 'all' reads several topics") {
		t.Error(got)
	}
	_, err := luabind.Load(write(t, `
		local t = app.table('t', { default = 0 })
		app.agent('a', app.merge(app.topic('web', { partitions = 3 }), app.topic('shop', { partitions = 4 })), function(stream) for v in stream do t:add('x', 1) end end)
	`), luabind.Config{})
	if err == nil || !strings.Contains(err.Error(), "topic web has 3 partitions") || !strings.Contains(err.Error(), "topic shop has 4") {
		t.Error(err)
	}
}
