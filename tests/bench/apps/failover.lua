-- A table with many keys, and what was done where and when: the benchmark kills workers and looks who goes on, and when.
app.configure {
  id = 'failover', topic_partitions = 8, standby_replicas = tonumber(env.get('STANDBYS', '1')), commit_interval = '1s',
  session_timeout = env.get('SESSION', '10s'), web_port = 0,
}
local beats = app.topic('beats', { key = 'string', value = 'string' })
local done = app.topic('done', { key = 'string', value = 'string' })
local fills = app.topic('fills', { key = 'string', value = 'string' })
local sums = app.table('sums', { value = 'string' })
local worker = env.get('NAME', '')

app.agent('beat', beats, function(stream)
  for key, n in stream:items() do
    sums[key] = n
    done:send { key = tostring(stream:event().partition), value = worker }
  end
end)
app.agent('fill', fills, function(stream)
  for key, text in stream:items() do sums[key] = text end
end)
