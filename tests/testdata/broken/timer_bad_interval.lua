app.timer('10 sec', function() end)
