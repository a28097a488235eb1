"""IsrTask: instrument signature removal under the names users of the LSST Science Pipelines know."""
