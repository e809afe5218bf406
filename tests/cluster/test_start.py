"""Nodes that begin on an empty database at the same moment."""

from concurrent.futures import ThreadPoolExecutor

NODES, BACK_S = 3, 5.0


def test_nodes_that_start_together_make_the_schema_once(make_cluster, postgres, database):
    cluster = make_cluster(postgres.make_database(database), nodes=0)
    cluster.nodes += [cluster.new_node(f"node{n + 1}") for n in range(NODES)]
    with ThreadPoolExecutor(NODES) as pool:
        list(pool.map(lambda node: node.start(), cluster.nodes))
    made = [node.log().count("schema was made") for node in cluster.nodes]
    assert sorted(made) == [0] * (NODES - 1) + [1], made
    cluster.until_serving(cluster.nodes, BACK_S)
    cluster.check_store()
