app.configure { id = 'x', topic_partition = 4 }
