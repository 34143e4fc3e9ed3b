app.task(function() print 'APP STARTED' end)
