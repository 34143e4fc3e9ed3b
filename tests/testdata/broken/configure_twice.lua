app.configure { id = 'x' }
app.configure { id = 'y' }
