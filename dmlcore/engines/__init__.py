"""Where the rows of a fit are, and who works on them: rows in chunks, each a table of its own, over which a function is mapped.

chunks        what an engine gives: encoded chunks in order, and the sum of what is made of each
stream        tables read one after the other, anew in each pass: Parquet files, or what a function yields
kept          encoded chunks on disk, mapped into memory while they are worked on, by threads or by any executor
dask_chunks   partitions of Dask, encoded and added up by its workers
spark_chunks  DataFrames of Spark, whose executors keep the chunks
choice        which engine data are for
"""
