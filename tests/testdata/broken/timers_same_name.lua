app.timer('1s', { name = 'report' }, function() end)
app.timer('2s', { name = 'report' }, function() end)
