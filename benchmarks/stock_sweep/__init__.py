"""Every stock config of the installed MM libraries, zoomed and compared with the stock model."""
