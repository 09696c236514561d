/*
 * The name that a box has in a cluster which several boxes share.
 */
#ifndef KINDS_KUBERNETES_BOX_H
#define KINDS_KUBERNETES_BOX_H

/* On the slice gateway-proxy, for each box: which entry is its. (In the entry
 * itself it would be lost, and be a change, each time that the slice is applied
 * anew.) */
#define KUBERNETES_BOX_ANNOTATION "address.gloo-gateway/"

/* The whole annotation. identity: of the settings; NULL: the host's name is
 * taken. The caller frees. */
char *kubernetes_box_annotation(const char *identity);

#endif
