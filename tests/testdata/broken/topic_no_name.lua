app.topic({ key = 'string' })
